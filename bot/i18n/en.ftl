# All texts for people, in English. Plain text, without markup.
# To add a language, copy this file to its code (fr.ftl) and translate what follows the equals signs.
# The bot replaces what is in braces: leave that as it is.

## What one reads who asks

start = { $where ->
        [group]
            Hello! To have a photo edited here, send it with /edit and what to change in its caption, like “/edit make it snow”, or reply /edit and your wish to a photo that is here. /help tells more.
       *[private]
            Hello! Send me a photo with a caption that says what to change, like “make it snow”, and I will send it back edited.

            Albums and picture files work too. /help tells more, /privacy says who sees your picture.
    }
help = { $where ->
        [group]
            Send a photo, an album or picture files with /edit and what to change in the caption, like “/edit make it snow”, or reply “/edit make it snow” to a picture that is here. To change one of my pictures further, just reply to it and say how. Everything else I neither answer nor keep.

            End your words with 1:1, 3:4, 9:16, 4:3 or 16:9 to get that shape, which may cost extra.

            /status tells how your edits stand
            /cancel takes back what you asked for and is not ordered yet
            /usage tells how many edits are left today
            /settings is for admins: format, shape, photo or file, language
            /privacy says who receives your picture, and for how long
       *[private]
            Send a photo, an album of up to ten, or picture files (JPEG, PNG, WebP, HEIC and others, at most 20 MB each), and write into the caption what to change. For example: “make it snow”, “remove the people in the background”, “put the person of the first picture into the second”. An album becomes one picture.

            No caption? I ask, and take your next message. To change a picture further, reply to it and say how.

            End your words with 1:1, 3:4, 9:16, 4:3 or 16:9 to get that shape, which may cost extra: “make it snow 16:9”.

            The edited picture comes as a reply, usually within a minute or two. Until it is ordered you can still edit your caption, or cancel.

            /status tells how your edits stand
            /cancel takes back what has not been ordered yet
            /usage tells how many edits are left today
            /settings changes format, shape, photo or file, and language
            /privacy says who receives your picture, and for how long
            /delete shows what I have stored about you, and deletes it
    }
privacy =
    What happens to your picture:

    • It reaches me through Telegram, and the edited one reaches you the same way. Telegram keeps our messages by its own rules; deleting them is up to you.
    • It goes, with your words, to Kie.ai, which makes the edited picture with Google's image model. { $transport ->
        [direct] Kie fetches it from Telegram itself. The address that I give it for that contains my key to Telegram, with which Kie could read what is sent to me.
       *[upload] I upload it to Kie's store, under a name that nobody can guess; whoever is given that address can see it.
    } From a picture that you send as a file I remove place, camera and other hidden data first; from a photo your app has removed them. Neither your name nor your Telegram id goes to Kie. By the longest of its statements Kie keeps uploads for { $uploads } days, finished pictures for { $results } days, and the record of each task, with your words, for { $records } months.
    • I do not keep pictures. When an edit has ended, I keep for { $days ->
        [one] a day
       *[other] { $days } days
    } whose it was, your words, where the picture is at Telegram and Kie, and what I said about it; what else I said, for { $messages ->
        [one] a day
       *[other] { $messages } days
    }. Then I erase it, and what remains are numbers that lead to nobody: when something was ordered, its number at Kie, and what it cost. What you chose in /settings stays until you change it or delete it, and that you added me to a group, as long as I am in it. Whether you may use me (if not, also to which groups you added me), and for two days how many edits you asked for, I keep even then.
    • In groups I store nothing that is not meant for me.
    • Whoever runs this bot can read what I keep, and may have backups of it. If something goes wrong, they are told what, without your words and pictures. Nobody else receives anything.
    • In our private chat, /delete shows what I have stored about you from all chats, and deletes it.
unknown-command = I do not know that command. /help tells what I can do.
stranger = This bot is for invited people only. To ask for access, give its owner your id: { $id }
hello = { $hearing ->
        [all]
            Hello! Send a photo with /edit and what to change in its caption, like “/edit make it snow”, and I reply with the edited picture.
            To change a picture that is here, reply to it with /edit and your wish; I keep nothing that is not meant for me. /help tells more.
       *[some]
            Hello! Send a photo with /edit and what to change in its caption, like “/edit make it snow”, and I reply with the edited picture.
            Albums, and the pictures of others that you reply to, I may only see as an admin; I keep nothing that is not meant for me. /help tells more.
    }

## Pictures and words that belong together

question = { $where ->
        [group] { $count ->
            [one] What should I change in this picture? Reply to this message and say it, like “make it snow”.
           *[other] What should I make of these { $count } pictures? Reply to this message and say it, like “put the person of the first into the second”.
        }
       *[private] { $count ->
            [one] What should I change in this picture? Just write it, like “make it snow”.
           *[other] What should I make of these { $count } pictures? Just write it, like “put the person of the first into the second”.
        }
    }
question-too-long = Your caption has { $length } characters, and the image model takes at most { $most }. Please reply to this message and say it in fewer words. I have kept what you sent.
question-over = I waited for an hour for words, so nothing was edited. To take it up again, reply to this message and say what to change.
no-picture = { $where ->
        [half-deaf] I see no picture that this could be about: send it with /edit and your wish in its caption, or make me an admin, so that I can see what you reply to.
        [group] I see no picture that this could be about: send one with /edit and your wish in its caption, or reply to a picture with /edit and your wish.
       *[private] I edit pictures. Please send me one with a caption that says what to change, like “make it snow”, or reply to a picture that is here.
    }
unsupported = I can only edit still pictures. Please send a photo, or a picture file, with a caption that says what to change.
picture-deleted = This picture was deleted, so I do nothing more with it. /help tells how to have another one made.
late-item = { $where ->
        [group] This picture came too late to join its album. To have it edited, reply to it with /edit and what to change.
       *[private] This picture came too late to join its album. To have it edited, reply to it and say what to change.
    }
left-out = { $count ->
        [one] I leave out what is not a still picture, and take the rest of your album.
       *[other] I leave out { $count } items of your album that are not still pictures, and take the rest.
    }
queue-full = { $where ->
        [group] So many pictures wait at the moment that I could not take this one. Please send it again, with /edit, in an hour or so; what I have taken goes on.
       *[private] So many pictures wait at the moment that I could not take this one. Please send it again in an hour or so; what I have taken goes on.
    }
too-many-wait = { $most } edits of yours wait already, and I take no more from one person. This one is not taken, nor is any other that I do not confirm; please send it again when some of them are done.
too-many-nameless-wait = { $most } edits that were asked for in the name of groups or channels wait already. This one is not taken, nor is any other that I do not confirm; please send it again in your own name, or when some of them are done.
limit-used-up = { $whose ->
        [all] { $most ->
            [one] I make one edit a day for everybody together, and today's is used up.
           *[other] I make at most { $most } edits a day for everybody together, and today's are used up.
        }
        [chat] { $most ->
            [one] This group's one edit for today is used up.
           *[other] This group's { $most } edits for today are used up.
        }
        [nameless] { $most ->
            [one] The one edit for today that can be asked for in the name of a group or channel is used up; in your own name you may have some left.
           *[other] The { $most } edits for today that can be asked for in the name of a group or channel are used up; in your own name you may have some left.
        }
       *[person] { $most ->
            [one] Your one edit for today is used up.
           *[other] Your { $most } edits for today are used up.
        }
    }
not-taken-today = This one is not taken, nor is any other that I do not confirm; please send it again in { $time }, when the new day begins (00:00 UTC).
used-up = { limit-used-up } { not-taken-today }
used-up-waiting = { limit-used-up } { $waiting ->
        [one] One of them still waits to hear what to change: it is given back when you take it back with /cancel, or when no words come within the hour.
       *[other] { $waiting } of them still wait to hear what to change: they are given back when you take them back with /cancel, or when no words come within the hour.
    } This one is not taken, nor is any other that I do not confirm; please send it again then.
credits-used-up = What may be spent on edits today is used up.
spent = { credits-used-up } { not-taken-today }
prompt-too-long = That has { $length } characters, and the image model takes at most { $most }. Please say it in fewer words.
still-under-way = { $where ->
        [group] This edit is already under way. To have a picture edited differently, reply to the picture itself with /edit and what to change.
       *[private] This edit is already under way. To have a picture edited differently, reply to the picture itself.
    }
too-late-to-change = { $where ->
        [group] That came too late: this edit is ordered, and goes on with your earlier words. For another one, reply to the picture with /edit and what to change; an album has to be sent again.
       *[private] That came too late: this edit is ordered, and goes on with your earlier words. For another one, reply to the picture and say what to change; an album has to be sent again.
    }
change-after-the-end = To have this edited with other words, reply to this message and say what to change.
no-words = There is nothing to read in that. Please write what to change, like “make it snow”.
no-words-left = An edit needs words, so I go on with the earlier ones. /cancel takes it back.

## How it stands

got-it = Got it. Your picture is next.
in-the-queue = Got it. Your picture is number { $place } in the queue.
about-to-go = About { $time } to go.
got-it-with-time = { got-it } { about-to-go }
in-the-queue-with-time = { in-the-queue } { about-to-go }
being-edited = Your picture is being edited.
usually = That usually takes { $time }.
being-edited-with-time = { being-edited } { usually }
seconds = { $count ->
        [one] { $count } second
       *[other] { $count } seconds
    }
minutes = { $count ->
        [one] a minute
       *[other] { $count } minutes
    }
hours = { $count ->
        [one] an hour
       *[other] { $count } hours
    }
waiting = Your picture still waits: I cannot pass it on at the moment. I keep trying, and there is no need to send it again.
waiting-for-owner = I cannot order anything at the moment: the bot's account at Kie.ai needs its owner first, who knows of it. Your picture waits and goes on by itself then; there is no need to send it again.
waiting-for-owner-unaware = I cannot order anything at the moment: the bot's account at Kie.ai needs its owner first. Your picture waits and goes on by itself then; there is no need to send it again.
waiting-for-kie = Kie.ai does not take orders at the moment. Your picture waits, I keep trying, and there is no need to send it again.
waiting-for-tomorrow = What may be spent today is used up. Your picture waits and goes on by itself in { $time }; there is no need to send it again.
takes-long = This takes unusually long. I keep looking and send the picture as soon as it is there; there is no need to send it again.
made-not-fetched = Kie.ai has made your picture, but I cannot fetch it there yet. I keep trying and send it as soon as I have it; there is no need to send yours again.
doubt = I ordered your picture but got no clear answer from Kie.ai, and I cannot find out whether it took the order. If you let me try again, it may be charged twice.
doubt-left = It could not be found out whether Kie.ai took the order for this picture, and it was not ordered a second time.
cancelled-here = Cancelled. Nothing was ordered.
cancelled-in-doubt = Cancelled. It is not ordered a second time; whether the first order was taken, nobody knows.
nothing-under-way = Nothing is under way at the moment.
more-under-way = { $count ->
        [one] One more edit is under way besides these.
       *[other] { $count } more edits are under way besides these.
    }

## /cancel

taken-back = { $count ->
        [one] Cancelled: it will not be ordered.
       *[other] Cancelled: { $count } edits. They will not be ordered.
    }
nothing-to-cancel = There is nothing to cancel.
cannot-be-cancelled = { $coming ->
        [one] One edit is already ordered and cannot be taken back; I send what comes of it.
       *[other] { $coming } edits are already ordered and cannot be taken back; I send what comes of them.
    }
taken-back-and-coming =
    { taken-back }
    { cannot-be-cancelled }

## /usage

left-today = { $whose ->
        [all] Everybody together has { $left } of { $most } { $most ->
            [one] edit
           *[other] edits
        } left today.
        [chat] This group has { $left } of { $most } { $most ->
            [one] edit
           *[other] edits
        } left today.
        [nameless] In the name of a group or channel, { $left } of { $most } { $most ->
            [one] edit is
           *[other] edits are
        } left today.
       *[person] You have { $left } of { $most } { $most ->
            [one] edit
           *[other] edits
        } left today.
    }
no-limit = There is no daily limit for you.
begins-anew = New ones come in { $time } (at 00:00 UTC).
used-in-all = { $most ->
        [0] Edits of everybody today: { $used }.
       *[other] Edits of everybody today: { $used } of { $most }.
    }
spent-today = { $most ->
        [0] Credits spent today: { $spent }.
       *[other] Credits spent today: { $spent } of { $most }.
    }
balance = Credits left at Kie.ai: { $credits }, as I heard { $time } ago.

## Who may use the bot, for admins

help-for-admins =
    For you as an admin of mine:
    /allow, /deny and /block, in reply to somebody's message (one that you forwarded to me, too) or with their id, say who may use me; deny tells them so, block does not answer any more
    /usage tells what was used and spent today
    /stats shows what is going on: how many edits, how they ended, how long they took, what they cost; /stats 24h or /stats 365d for another time
whom = { $where ->
        [group] Please reply /{ $command } to a message of the one you mean, or write the id behind it, like “/{ $command } 123456789”. This group's id is { $chat }.
       *[private] Please write the id behind it, like “/{ $command } 123456789”, or forward me a message of theirs and reply to that with /{ $command }. Ids of groups and channels begin with a minus sign.
    }
whom-hidden = Whoever wrote this hides their account. Please write the id, like “/{ $command } 123456789”.
whose-id = { $kind ->
        [placer] { $id } (who added me to the group)
        [group] the group { $id }
        [channel] the channel { $id }
        [chat] the group or channel { $id }
        [nameless] { $id } (all who speak in the name of a group or channel, where I do not know who added me)
       *[person] { $id }
    }
now-allowed = May use me from now on: { $ids }.
now-allowed-anyway = Noted: { $ids }. At the moment everybody else may use me as well, because ALLOWED_IDS is empty.
now-denied = May not use me any more: { $ids }. What was not ordered yet is cancelled. Who asks is told so, once a day.
now-blocked = Gets no answer from me any more: { $ids }. What was not ordered yet is cancelled. /allow takes that back.
admins-stay = An admin always may use me, so I changed nothing. Who is one, ADMIN_IDS says.

## /stats, for admins: the caption, and what stands in the picture (as short as it can be)

stats-which = Please write how far back I should look: /stats 24h for hours (at most { $hours }), /stats 30d for days (at most { $days }), or only /stats for a week.
stats-days = { $count ->
        [one] Today
       *[other] The last { $count } days
    }
stats-hours = { $count ->
        [one] This hour
       *[other] The last { $count } hours
    }
stats-until = until { $time } UTC
stats-none = Nobody asked for an edit in this time.
stats-edits = Edits: { $count }
stats-end = { $what }: { $count } ({ $share } %)
stats-success = Success: { $share } %, without what people took back themselves
stats-waits = From the request to the picture: half within { $half }, 95 % within { $most }. Kie's share of the time: { $share } %
stats-credits = Credits spent on these UTC days: { $credits }
stats-busiest = Busiest hour: { $start }–{ $end } UTC
stats-number = { $count }
stats-percent = { $share } %
stats-tile-edits = edits
stats-tile-success = success
stats-tile-wait = typical wait
stats-tile-credits = credits
stats-by-day = Edits a day
stats-by-week = Edits a day, by week
stats-by-hour = Edits an hour
stats-of-day = Hour of the day (UTC)
stats-ends = What became of them
stats-wait = From request to picture
stats-half = half
stats-most = 95 %
stats-of-it-kie = Kie
stats-failed = failed
stats-others = other
stats-end-made = made
stats-end-refused = refused
stats-end-broke = Kie failed
stats-end-picture = bad picture
stats-end-doubt = in doubt
stats-end-overdue = never came
stats-end-deleted = deleted
stats-end-no-prompt = no words
stats-end-taken-back = cancelled
stats-end-open = under way
brief-seconds = { $count } s
brief-minutes = { $count } min
brief-hours = { $count } h

## Buttons (short), and what appears for a moment when one is pressed (at most 200 characters)

button-cancel = Cancel
button-original = Original file
button-fetch = Fetch it again
button-again = Try again
button-leave = Leave it
button-variation = Again
button-delete = Delete
button-back = ‹ Back
button-erase = Delete everything
button-keep = Keep it
toast-cancelled = Cancelled.
toast-too-late = Too late: it is ordered already. I send what comes of it.
toast-settled = That is settled already.
toast-old = This button is too old to do anything.
toast-not-yours = This button is for the person who asked for this edit.
toast-fetching = I am fetching the original file…
toast-coming = The original file is on its way.
toast-original-there = The original file is in this chat already, as a reply to this picture.
toast-original-later = One original file a minute, please. Press again in a moment.
toast-picture-fetching = I am fetching the picture…
toast-picture-coming = I am still fetching this picture, and send it as soon as I have it.
toast-picture-there = This picture is in this chat already.
toast-picture-later = One picture a minute, please. Press again in a moment.
toast-again = I order it once more.
toast-left = Left as it is.
toast-news = There is news of the first order. I am looking into it.
toast-idea = Good choice.
toast-varied = One more variation is on its way.
toast-varied-already = Another variation of this is on its way already.
toast-used-up = The edits for today are used up. New ones come in { $time }.
toast-full = So much waits at the moment that I could not take this. Please try it again later.
toast-erased = I no longer have what this was made of. Please send the picture again.
toast-deleted = Deleted.
toast-picture-deleted = This picture was deleted.
toast-too-old-to-delete = { $where ->
        [group] Telegram lets me delete only what is younger than two days. An admin of the group can still do it.
       *[private] Telegram lets me delete only what is younger than two days. You can still do it yourself.
    }
toast-for-admins = Only the admins of this group can change its settings.
toast-chosen = Changed.
toast-kept = Nothing was deleted.

## /settings

settings = { $where ->
        [group] How pictures come in this group, and which language I speak here. Only admins can change it.
       *[private] How your pictures come, and which language I speak with you.
    }
settings-for-admins = Only the admins of this group can change its settings. In your chat with me you have settings of your own.
setting-format = Format: { $value }
setting-aspect-ratio = Shape: { $value }
setting-answer-as = Sent as: { $value }
setting-language = Language: { $value }
choose-format = In which format should the model make the pictures? PNG keeps every detail, JPEG is smaller.
choose-aspect-ratio = Which shape should the pictures get? Any but “as it is” may cost extra. A ratio at the end of your words, like “make it snow 16:9”, counts for that one picture.
choose-answer-as = How should I send the pictures? Telegram compresses photos, and files come as the model made them.
choose-language = Which language should I speak here?
as-auto = as it is
as-photo = photo
as-file = file
as-both = photo and file
own-language = that of the app
this-language = English

## /delete

delete-in-private = Please send me /delete in our private chat. There I show what I have stored about you, from groups as well, and delete it if you say so.
delete-question =
    This is what I have stored about you, from our chat and from all groups:

    • Edits: { $edits }, with { $texts ->
        [one] one caption or wish
       *[other] { $texts } captions or wishes
    } of yours and { $pictures ->
        [one] one reference to a picture
       *[other] { $pictures } references to pictures
    } at Telegram
    • Under way: { $waiting ->
        [0] nothing that waits
        [one] one edit that waits, and will be cancelled
       *[other] { $waiting } edits that wait, and will be cancelled
    }; { $ordered ->
        [0] nothing that is ordered
        [one] one that is ordered and paid for. Its picture will not reach you any more: to have it, keep everything until it has come
       *[other] { $ordered } that are ordered and paid for. Their pictures will not reach you any more: to have them, keep everything until they have come
    }
    • Answers and other messages of mine that I remember: { $messages }
    • Settings and language: { $settings ->
        [some] what you chose
       *[none] nothing
    }
    • Groups to which you added me: { $groups }

    If you delete this, it is gone for good. What remains are numbers that lead to nobody (when something was ordered, its number at Kie.ai, what it cost), whether you may use this bot and, if you may not, to which groups you added it, and for two days how many edits you asked for. What others in a group have had made of your pictures is theirs.

    Out of my reach: the messages in our chat, and Telegram's copies of them, which you can delete yourself; in groups, press Delete under my pictures first. Kie.ai keeps uploads for up to { $uploads } days, finished pictures for { $results } days, and its records for { $records } months.
nothing-to-delete = I have nothing stored about you that could be deleted.
deleted = Everything that I had stored about you is deleted. The messages here are yours to delete, and at Kie.ai the last record is gone in { $records } months at the latest. If you write to me again, I begin anew.

## Ideas, on buttons under the question what to change (short)

idea-figure = A figure on a desk
idea-snow = Winter
idea-night = At night
idea-watercolour = Watercolour
idea-clean = Without bystanders
idea-restore = Restored

## The answer

answer = Here it is.
answer-as-file = Here it is, as a file, because Telegram does not take it as a photo.
answer-without-rest = Here it is. I left out what is not a still picture in your album.
answer-of-one = Here it is. Of your album I got only this picture: as an admin I see all of them, if /edit stands in a caption from the start.
answer-unconfirmed = I sent you this picture several times, but Telegram never told me whether it arrived. If you do not see it, press the button, and I send it once more.
original = The file as the image model made it.
original-gone = The original file can no longer be had: it is kept for a limited time only. The picture above is the best there is.
original-not-fetched = I could not fetch the original file and send it to you yet. Press the button to have me try it again.

## Why there is no picture

album-item = Picture { $place } of { $count }: { $words } Nothing of this album was ordered.
not-a-picture = This file is not a picture that I can read. Please send a JPEG, PNG or WebP file, or a photo.
other-format = This is a { $format } file, which I cannot read. Please send it as a photo, or as JPEG, PNG or WebP.
broken-picture = This picture file is damaged or incomplete. Please send it again as a photo instead of a file, or open it and save it as JPEG or PNG first.
too-many-pixels = This picture has too many pixels for me. Please send a smaller one, or send it as a photo.
too-narrow = This picture is too narrow: its longer side may be at most { $most } times as long as the shorter. Please send a part of it.
too-much-work = This picture file is built in a way that takes far too long to open. Please save it anew as JPEG or PNG, or send it as a photo.
animated = This picture moves, and I can only edit still ones. Please send a single picture.
file-too-large = This file is too large: Telegram lets me fetch at most 20 MB. Please send a smaller one, or send it as a photo.
not-fetched = I could not get your picture from Telegram. Please send it again.
not-taken = Kie.ai has not taken this order for two days ({ $words }), so I give it up. Please send the picture again.
model-refuses =
    The image model will not do this: { $words }

    Please try another wish or another picture.
refused-order =
    Kie.ai did not accept this: { $words }

    Please try another wish or another picture.
broke = The image model could not finish this picture ({ $words }). Please send it again, perhaps a little later.
no-result = Kie.ai says that your picture is done, but gives none that I can find. What it says is kept for whoever runs this bot, who can look for it; you need not order it again.
never-finished = Kie.ai has not finished this picture within a day, so I stop waiting for it. Please send it again.
never-learned = Kie.ai has not told me for two weeks what became of your picture, so I stop asking. Please send it again.
result-lost = Your picture is made, but I could not fetch it from Kie.ai yet. You need not order it again: press the button, and I go on trying. Kie.ai keeps it for up to { $results } days.
result-not-sent = Your picture is made, but I could not send it to you yet. You need not order it again: press the button, and I try it once more. Kie.ai keeps it for up to { $results } days.
result-gone = This picture was made, but it can no longer be had: Kie.ai keeps pictures for a limited time only.
undeliverable = Your picture is made, but I could not send it to you ({ $words }). You need not order it again: press the button to have me try it once more.
may-not-send = Your picture is made, but I am not allowed to send it in this group. When an admin has allowed it, press the button, and it comes; you need not order it again.
trouble = Something went wrong with your message, and I could not use it. Please send it once more.
no-reason = no reason given
broken-step = Something went wrong on my side, and your picture was not ordered. Please send it again.

## Menus of commands (at most 256 characters each)

command-edit = edit a picture: in its caption, or in reply to it
command-status = how your edits stand
command-cancel = take back what is not ordered yet
command-usage = how many edits are left today
command-stats = what is going on, as a picture
command-settings = format, shape, photo or file, language
command-help = what I can do, and how
command-privacy = who receives your picture
command-delete = what I have stored about you, and delete it

## For the admins

admin-poison = An update from Telegram could not be understood and was set aside (update { $update }, { $fault }). The bot goes on; the log has the details.
admin-low = Only { $credits } credits are left at Kie.ai, which is less than { $low } (LOW_CREDITS). Please top up at https://kie.ai before they run out.
admin-halt-credits = Kie.ai has no credit left. Please top up at https://kie.ai; the pictures that wait will then go on.
admin-halt-key = Kie.ai does not accept the API key. Please check KIE_API_KEY (and the key's IP list), then restart me.
admin-halt-cap = The usage cap of the Kie.ai key is reached. Raise it on https://kie.ai/api-key, or wait until it renews.
admin-outage = Kie.ai does not take orders at present ({ $words }). I try again by myself, one order at a time.
admin-resumed = Kie.ai takes orders again.
admin-garbled = Kie.ai answered in a way that its documentation does not know: { $words }
admin-no-result = Kie.ai reported a finished task without a picture that I can find: task { $task }, job { $job }. What it said is kept: python -m bot jobs { $job }
admin-mixed-up = Kie.ai answered the order of job { $job } with the task of another order. Nobody was sent somebody else's picture; whose own picture cannot be found is asked what to do. The log names each job.
admin-absurd = Kie.ai gave figures that cannot be ({ $figures }, task { $task }, job { $job }). They count as unknown; an edit whose price is unknown counts as the usual one. Please compare with https://kie.ai/logs.
admin-rejected = A message of mine cannot be sent, now or later: { $words }
admin-expired = A message could not be delivered within three days and was given up: { $key }
admin-broken = A step of job { $job } fails again and again ({ $fault }); the log has the details.
admin-mistake = Something went wrong inside me ({ $what }: { $fault }). It was set aside, and everything else goes on; the log has the details.
admin-moved = The group { $old } on ALLOWED_IDS became a supergroup and has the id { $new } now. It is still let in; please put the new id on the list.
