"""Everything a person can read, in English. Plain text: nothing in it is markup."""

START = (
    "Hello! Send me a photo with a caption that says what to change, like “make it snow”, "
    "and I will send it back edited.\n\n"
    "A picture sent as a file works too. /help tells more, /privacy says who sees your picture."
)

HELP = (
    "Send one photo, or one picture file (JPEG, PNG, WebP, HEIC and others, at most 20 MB), and write into its "
    "caption what to change. For example: “make it snow”, “remove the people in the background”, “as a water-colour "
    "painting”.\n\n"
    "I put 👀 on it when I have taken it on. The edited picture comes as a reply, usually within a minute or two.\n\n"
    "/cancel takes back what has not been ordered yet\n"
    "/privacy says who receives your picture, and for how long"
)

PRIVACY = (
    "What happens to your picture:\n\n"
    "• It goes, with your caption, to Kie.ai, which makes the edited picture with Google's image model. {transport} "
    "From a picture that you send as a file I remove place, camera and other hidden data first. "
    "Kie says that it deletes uploads within three days and finished pictures within fourteen, and keeps a record "
    "of each task for two months.\n"
    "• I do not keep the pictures themselves. I keep your caption and a reference to the picture at Telegram for "
    "{keep} after the edit has ended, then I erase both. What remains is your Telegram id and when the edit happened.\n"
    "• Nobody else receives anything. The person who runs this bot can read what I keep."
)
UPLOADED = "I upload the picture to Kie, under a name that nobody can guess."
HANDED_ON = "Kie fetches the picture from Telegram itself, by an address that I give it."

ANSWER = "Here it is."
ANSWER_AS_FILE = "Here it is, as a file, because Telegram does not take it as a photo."

NO_CAPTION = "What should I change? Please send one picture with a caption that says it, like “make it snow”."
ALBUM = "I can only edit one picture at a time so far. Please send one picture with a caption that says what to change."
NO_PICTURE = "I edit pictures. Please send me one picture with a caption that says what to change, like “make it snow”."
UNSUPPORTED = (
    "I can only edit still pictures. Please send one photo, or one picture file, with a caption that says what to "
    "change."
)
UNKNOWN_COMMAND = "I do not know that command. /help tells what I can do."
PROMPT_TOO_LONG = (
    "Your caption has {length} characters, and the image model takes at most {most}. Please send the picture again "
    "with a shorter caption."
)
FILE_TOO_LARGE = (
    "This file is too large: Telegram lets me fetch at most 20 MB. Please send a smaller one, or send it as a photo."
)
STRANGER = "This bot is for invited people only. To ask for access, give its owner your id: {user_id}"

CANCELLED_ONE = "Cancelled: your picture will not be edited."
CANCELLED_SEVERAL = "Cancelled: {count} pictures will not be edited."
NOTHING_TO_CANCEL = "There is nothing to cancel."
TOO_LATE_ONE = "One edit is already ordered and cannot be taken back; its picture will come."
TOO_LATE_SEVERAL = "{count} edits are already ordered and cannot be taken back; their pictures will come."

NOT_A_PICTURE = "This file is not a picture that I can read. Please send a JPEG, PNG or WebP file, or a photo."
OTHER_FORMAT = "This is a {format} file, which I cannot read. Please send it as a photo, or as JPEG, PNG or WebP."
BROKEN_PICTURE = "This picture file is damaged or incomplete. Please try to send it again."
TOO_MANY_PIXELS = "This picture has too many pixels for me. Please send a smaller one, or send it as a photo."
ANIMATED = "This picture moves, and I can only edit still ones. Please send a single picture."
NOT_FETCHED = "I could not get your picture from Telegram. Please send it again."

WAITING = (
    "Your picture still waits: I cannot pass it on at the moment. I keep trying, and there is no need to send it again."
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
    "it took the order. I do not order a second time by myself, because it might be charged twice. If you want the "
    "picture, please send it once more with the same caption."
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


def cancelled(count: int, too_late: int) -> str:
    """Say how many edits were cancelled and how many no longer could be."""
    lines = []
    if count:
        lines.append(CANCELLED_ONE if count == 1 else CANCELLED_SEVERAL.format(count=count))
    if too_late:
        lines.append(TOO_LATE_ONE if too_late == 1 else TOO_LATE_SEVERAL.format(count=too_late))
    return "\n".join(lines) or NOTHING_TO_CANCEL
