"""Everything a person can read, in English. Plain text: nothing in it is markup."""

import math

START = (
    "Hello! Send me a photo with a caption that says what to change, like “make it snow”, "
    "and I will send it back edited.\n\n"
    "Albums and picture files work too. /help tells more, /privacy says who sees your picture."
)

HELP = (
    "Send a photo, an album of up to ten, or picture files (JPEG, PNG, WebP, HEIC and others, at most 20 MB each), and "
    "write into the caption what to change. For example: “make it snow”, “remove the people in the background”, “put "
    "the person of the first picture into the second”. An album becomes one picture.\n\n"
    "No caption? I ask, and take your next message. To change a picture further, reply to it and say how.\n\n"
    "The edited picture comes as a reply, usually within a minute or two. Until it is ordered you can still edit your "
    "caption, or cancel.\n\n"
    "/cancel takes back what has not been ordered yet\n"
    "/privacy says who receives your picture, and for how long"
)

PRIVACY = (
    "What happens to your picture:\n\n"
    "• It goes, with your caption, to Kie.ai, which makes the edited picture with Google's image model. {transport} "
    "From a picture that you send as a file I remove place, camera and other hidden data first. "
    "Kie says that it deletes uploads within three days and finished pictures within fourteen, and keeps a record "
    "of each task for two months.\n"
    "• I do not keep the pictures themselves. I keep your words and a reference to the picture at Telegram for "
    "{keep} after the edit has ended, then I erase both. What remains is your Telegram id and when the edit happened.\n"
    "• Nobody else receives anything. The person who runs this bot can read what I keep."
)
UPLOADED = "I upload the picture to Kie, under a name that nobody can guess."
HANDED_ON = "Kie fetches the picture from Telegram itself, by an address that I give it."

ANSWER = "Here it is."
ANSWER_AS_FILE = "Here it is, as a file, because Telegram does not take it as a photo."

QUESTION_ONE = "What should I change in this picture? Just write it, like “make it snow”."
QUESTION_SEVERAL = (
    "What should I make of these {count} pictures? Just write it, like “put the person of the first into the second”."
)
QUESTION_TOO_LONG = (
    "Your caption has {length} characters, and the image model takes at most {most}. Please write to me, more shortly, "
    "what to change. I have kept the picture."
)
QUESTION_OVER = (
    "I waited for an hour for words, so nothing was edited. To take it up again, reply to this message and say what to "
    "change."
)
NO_PICTURE = (
    "I edit pictures. Please send me one with a caption that says what to change, like “make it snow”, or reply to a "
    "picture that is here."
)
UNSUPPORTED = (
    "I can only edit still pictures. Please send a photo, or a picture file, with a caption that says what to change."
)
LATE_ITEM = "This picture came too late to join its album. To have it edited, reply to it and say what to change."
LEFT_OUT_ONE = "I leave out what is not a still picture, and take the rest of your album."
LEFT_OUT_SEVERAL = "I leave out {count} items of your album that are not still pictures, and take the rest."
UNKNOWN_COMMAND = "I do not know that command. /help tells what I can do."
PROMPT_TOO_LONG = (
    "That has {length} characters, and the image model takes at most {most}. Please say it in fewer words."
)
STILL_UNDER_WAY = "This edit is already under way. To have a picture edited differently, reply to the picture itself."
TOO_LATE_TO_CHANGE = (
    "That came too late: this edit is ordered, and goes on with your earlier words. For another one, reply to the "
    "picture and say what to change; an album has to be sent again."
)
CHANGE_AFTER_THE_END = "To have this edited with other words, reply to this message and say what to change."
NO_WORDS = "There is nothing to read in that. Please write what to change, like “make it snow”."
NO_WORDS_LEFT = "An edit needs words, so I go on with the earlier ones. /cancel takes it back."
FILE_TOO_LARGE = (
    "This file is too large: Telegram lets me fetch at most 20 MB. Please send a smaller one, or send it as a photo."
)
STRANGER = "This bot is for invited people only. To ask for access, give its owner your id: {user_id}"

CANCELLED_ONE = "Cancelled. Nothing was ordered."
CANCELLED_SEVERAL = "Cancelled: {count} edits. None of them was ordered."
NOTHING_TO_CANCEL = "There is nothing to cancel."
TOO_LATE_ONE = "One edit is already ordered and cannot be taken back; its picture will come."
TOO_LATE_SEVERAL = "{count} edits are already ordered and cannot be taken back; their pictures will come."

NOT_A_PICTURE = "This file is not a picture that I can read. Please send a JPEG, PNG or WebP file, or a photo."
OTHER_FORMAT = "This is a {format} file, which I cannot read. Please send it as a photo, or as JPEG, PNG or WebP."
BROKEN_PICTURE = "This picture file is damaged or incomplete. Please try to send it again."
TOO_MANY_PIXELS = "This picture has too many pixels for me. Please send a smaller one, or send it as a photo."
ANIMATED = "This picture moves, and I can only edit still ones. Please send a single picture."
NOT_FETCHED = "I could not get your picture from Telegram. Please send it again."

ALBUM_ITEM = "Picture {place} of {count}: {words}"

GOT_IT = "Got it. Your picture is next."
IN_THE_QUEUE = "Got it. Your picture is {ordinal} in the queue."
BEING_EDITED = "Your picture is being edited."
USUALLY = " That usually takes {time}."
ABOUT = " About {time} to go."
WAITING = (
    "Your picture still waits: I cannot pass it on at the moment. I keep trying, and there is no need to send it again."
)
CANCELLED_HERE = "Cancelled. Nothing was ordered."

BUTTON_CANCEL = "Cancel"
BUTTON_ORIGINAL = "Original file"
BUTTON_AGAIN = "Try again"
BUTTON_LEAVE = "Leave it"

TOAST_CANCELLED = "Cancelled."
TOAST_TOO_LATE = "Too late: it is ordered already. The picture will come."
TOAST_SETTLED = "That is settled already."
TOAST_OLD = "This button is too old to do anything."
TOAST_NOT_YOURS = "This button is for the person who sent the picture."
TOAST_FETCHING = "I am fetching the original file…"
TOAST_COMING = "The original file is on its way."
TOAST_AGAIN = "I order it once more."
TOAST_LEFT = "Left as it is."

ORIGINAL = "The file as the image model made it."
ORIGINAL_GONE = (
    "The original file can no longer be had: it is kept for a limited time only. "
    "The picture above is the best there is."
)
NOT_TAKEN = "Kie.ai has not taken this order for two days ({words}), so I give it up. Please send the picture again."
REFUSED = "The image model will not do this: {words}\n\nPlease try another wish or another picture."
REFUSED_ORDER = "Kie.ai did not accept this: {words}\n\nPlease try another wish or another picture."
BROKE = "The image model could not finish this picture ({words}). Please send it again, perhaps a little later."
NO_RESULT = "Kie.ai says that your picture is done, but gives none. Please send it again."
OVERDUE = (
    "This takes unusually long. I keep looking and send the picture as soon as it is there; there is no need to send "
    "it again."
)
NEVER_FINISHED = "Kie.ai has not finished this picture within a day, so I stop waiting for it. Please send it again."
NEVER_LEARNED = (
    "Kie.ai has not told me for two weeks what became of your picture, so I stop asking. Please send it again."
)
DOUBT = (
    "I ordered your picture, but the connection broke before Kie.ai could confirm it, and I cannot find out whether "
    "it took the order. If you let me try again, it may be charged twice."
)
DOUBT_LEFT = (
    "It could not be found out whether Kie.ai took the order for this picture, and it was not ordered a second time."
)
RESULT_LOST = "Your picture was made, but I could not fetch it from Kie.ai in time. Please send it again."
UNDELIVERABLE = "I could not send you the result ({words}). Please try it again, perhaps with another wish."
TROUBLE = "Something went wrong with your message, and I could not use it. Please send it once more."
OUR_MISTAKE = "the order could not be put together"
BROKEN_STEP = "Something went wrong on my side, and your picture was not ordered. Please send it again."

ADMIN_POISON = (
    "An update from Telegram could not be understood and was set aside (update {update_id}, {fault}). "
    "The bot goes on; the log has the details."
)
ADMIN_HALT = {
    "credits": "Kie.ai has no credit left. Please top up at https://kie.ai; the pictures that wait will then go on.",
    "key": "Kie.ai does not accept the API key. Please check KIE_API_KEY (and the key's IP list), then restart me.",
    "cap": "The usage cap of the Kie.ai key is reached. Raise it on https://kie.ai/api-key, or wait until it renews.",
}
ADMIN_OUTAGE = "Kie.ai does not take orders at present ({words}). I try again by myself, one order at a time."
ADMIN_RESUMED = "Kie.ai takes orders again."
ADMIN_GARBLED = "Kie.ai answered in a way that its documentation does not know: {words}"
ADMIN_NO_RESULT = "Kie.ai reported a finished task without a picture: task {task_id}, job {job_id}."
ADMIN_REJECTED = "A message of mine cannot be sent, now or later: {words}"
ADMIN_EXPIRED = "A message could not be delivered within three days and was given up: {key}"
ADMIN_BROKEN = "A step of job {job_id} fails again and again ({fault}); the log has the details."


def privacy(*, keep_days: float, direct: bool) -> str:
    """Return the privacy notice for these settings."""
    keep = "a day" if keep_days == 1 else f"{keep_days:g} days"
    return PRIVACY.format(transport=HANDED_ON if direct else UPLOADED, keep=keep)


def prompt_too_long(length: int, most: int) -> str:
    """Say that a prompt is too long, in characters."""
    return PROMPT_TOO_LONG.format(length=length, most=most)


def question(count: int, length: int, most: int) -> str:
    """Ask what to change in so many pictures; `length` is that of words that were too long, in characters."""
    if length > most:
        return QUESTION_TOO_LONG.format(length=length, most=most)
    return QUESTION_ONE if count == 1 else QUESTION_SEVERAL.format(count=count)


def left_out(count: int) -> str:
    """Say how many items of an album are of no use."""
    return LEFT_OUT_ONE if count == 1 else LEFT_OUT_SEVERAL.format(count=count)


def queued(place: int, seconds: float | None) -> str:
    """Say how many are served before (1 for the next), and how long it will take, where that is known."""
    words = GOT_IT if place <= 1 else IN_THE_QUEUE.format(ordinal=_ordinal(place))
    return words if seconds is None else words + ABOUT.format(time=_roughly(seconds))


def being_edited(seconds: float | None) -> str:
    """Say that Kie is at work, and how long that usually takes, where that is known."""
    return BEING_EDITED if seconds is None else BEING_EDITED + USUALLY.format(time=_roughly(seconds))


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _roughly(seconds: float) -> str:
    """Say a time as people do, never as shorter than it is."""
    if seconds <= 55:
        return f"{max(5, math.ceil(seconds / 5) * 5)} seconds"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    hours = math.ceil(seconds / 3600)
    return "an hour" if hours == 1 else f"{hours} hours"


def cancelled(count: int, too_late: int) -> str:
    """Say how many edits were cancelled and how many no longer could be."""
    lines = []
    if count:
        lines.append(CANCELLED_ONE if count == 1 else CANCELLED_SEVERAL.format(count=count))
    if too_late:
        lines.append(TOO_LATE_ONE if too_late == 1 else TOO_LATE_SEVERAL.format(count=too_late))
    return "\n".join(lines) or NOTHING_TO_CANCEL
