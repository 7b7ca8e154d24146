# 人们会读到的全部文字，简体中文。纯文本：没有任何标记。
# 要添加一种语言，把这个文件复制成该语言的代码（如 fr.ftl），再翻译等号后面的内容。
# 花括号里的内容由机器人填入，必须保留。

## What one reads who asks

start = { $where ->
        [group]
            大家好！想在这里编辑照片，请在发送时把 /edit 和要改什么写进说明文字，比如“/edit 让它下雪”，或者用 /edit 加上要求回复这里的照片。/help 有更多说明。
       *[private]
            你好！给我发一张照片，并在说明文字里写上要改什么，比如“让它下雪”，我会把编辑好的图片发回给你。

            也可以发相册或图片文件。/help 有更多说明，/privacy 说明谁会看到你的图片。
    }
help = { $where ->
        [group]
            发送照片、相册或图片文件时，把 /edit 和要改什么写进说明文字，比如“/edit 让它下雪”，或者用“/edit 让它下雪”回复这里的图片。想继续修改我发的图片，直接回复它并说明怎么改。其他内容我既不回应，也不保存。

            在文字末尾加上 1:1、3:4、9:16、4:3 或 16:9，就能得到这种比例，可能会额外收费。

            /status 查看你的编辑进行得怎样
            /cancel 取消你要求过、还没有下单的编辑
            /usage 显示今天还剩多少次编辑
            /settings 供管理员使用：格式、比例、照片或文件、语言
            /privacy 说明谁会收到你的图片，以及保存多久
       *[private]
            发一张照片、最多十张的相册，或图片文件（JPEG、PNG、WebP、HEIC 等，每个不超过 20 MB），并在说明文字里写上要改什么。例如：“让它下雪”“去掉背景里的人”“把第一张图里的人放进第二张图”。一个相册会变成一张图片。

            没有说明文字？我会问你，并采用你的下一条消息。想继续修改某张图片，回复它并说明怎么改。

            在文字末尾加上 1:1、3:4、9:16、4:3 或 16:9，就能得到这种比例，比如“让它下雪 16:9”，可能会额外收费。

            编辑好的图片会以回复的形式发来，通常只要一两分钟。在下单之前，你仍可以修改说明文字或取消。

            /status 查看你的编辑进行得怎样
            /cancel 取消还没有下单的编辑
            /usage 显示今天还剩多少次编辑
            /settings 更改格式、比例、照片或文件、语言
            /privacy 说明谁会收到你的图片，以及保存多久
            /delete 显示我保存了你的哪些信息，并可删除
    }
privacy =
    你的图片会怎样处理：

    • 图片通过 Telegram 到我这里，编辑好的图片也这样回到你那里。Telegram 按自己的规则保存我们的消息；是否删除由你决定。
    • 图片和你的文字会交给 Kie.ai，由它用 Google 的图像模型生成编辑后的图片。{ $transport ->
        [direct] Kie 会直接从 Telegram 获取图片。我为此给出的地址里有我的 Telegram 密钥，Kie 可以用它读到发给我的内容。
       *[upload] 我会以无人能猜到的名字把图片上传到 Kie 的存储；得到这个地址的人可以看到它。
    }如果你以文件形式发送图片，我会先去掉位置、相机等隐藏信息；照片里的这些信息已由你的应用去掉。你的名字和 Telegram ID 都不会交给 Kie。按 Kie 各种说法中最长的期限，上传的图片保存 { $uploads } 天，生成的图片保存 { $results } 天，每个任务的记录（含你的文字）保存 { $records } 个月。
    • 我自己不保存图片。编辑结束后，我会把这是谁的编辑、你的文字、图片在 Telegram 和 Kie 上的位置以及我就此说过的话保留 { $days } 天；我说过的其他话保留 { $messages } 天。然后全部删除，只留下不指向任何人的数字：何时下单、在 Kie 的编号和费用。你在 /settings 里的选择会保留到你更改或删除为止；你把我加进了哪个群，只要我还在群里就会保留。你能否使用我（如果不能，还有你把我加进了哪些群），以及两天之内你请求过多少次编辑，即使那时我也会保留。
    • 在群里，不是对我说的内容我一概不保存。
    • 运行这个机器人的人可以读到我保存的内容，也可能有备份。出故障时会告诉他们发生了什么，但不含你的文字和图片。其他任何人都不会收到任何内容。
    • 在我们的私聊里，/delete 会显示我从所有聊天中保存的你的信息，并可删除。
unknown-command = 我不认识这个命令。/help 会告诉你我能做什么。
stranger = 这个机器人只供受邀的人使用。想获得使用权，请把你的 ID 告诉机器人的主人：{ $id }
hello = { $hearing ->
        [all]
            大家好！发送照片时把 /edit 和要改什么写进说明文字，比如“/edit 让它下雪”，我会用编辑好的图片回复。
            想修改这里的图片，请用 /edit 加上要求回复它；不是对我说的内容，我一概不保存。/help 有更多说明。
       *[some]
            大家好！发送照片时把 /edit 和要改什么写进说明文字，比如“/edit 让它下雪”，我会用编辑好的图片回复。
            相册以及你所回复的他人图片，可能只有成为管理员我才看得到；不是对我说的内容，我一概不保存。/help 有更多说明。
    }

## Pictures and words that belong together

question = { $where ->
        [group] { $count ->
            [1] 这张图片要改什么？请回复这条消息告诉我，比如“让它下雪”。
           *[other] 这 { $count } 张图片要做成什么样？请回复这条消息告诉我，比如“把第一张图里的人放进第二张图”。
        }
       *[private] { $count ->
            [1] 这张图片要改什么？直接写给我就行，比如“让它下雪”。
           *[other] 这 { $count } 张图片要做成什么样？直接写给我就行，比如“把第一张图里的人放进第二张图”。
        }
    }
question-too-long = 你的说明文字有 { $length } 个字符，而图像模型最多接受 { $most } 个。请回复这条消息，用更短的话告诉我要改什么，图片我已经留着了。
question-over = 我等了一个小时也没有等到文字说明，所以没有编辑。想继续的话，请回复这条消息，告诉我要改什么。
no-picture = { $where ->
        [half-deaf] 我看不到这说的是哪张图片：请发送图片并在说明文字里写上 /edit 和要求，或者把我设为管理员，这样我才能看到你回复的内容。
        [group] 我看不到这说的是哪张图片：请发送图片并在说明文字里写上 /edit 和要求，或者用 /edit 加上要求回复一张图片。
       *[private] 我是编辑图片的。请发一张图片，并在说明文字里写上要改什么，比如“让它下雪”；也可以直接回复这里的某张图片。
    }
unsupported = 我只能编辑静态图片。请发一张照片或图片文件，并在说明文字里写上要改什么。
picture-deleted = 这张图片已被删除，我不会再处理它。如何再做一张，请看 /help。
late-item = { $where ->
        [group] 这张图片来得太晚，没能加入它的相册。想编辑它，请用 /edit 加上要求回复这张图片。
       *[private] 这张图片来得太晚，没能加入它的相册。想编辑它，请回复这张图片并说明要改什么。
    }
left-out = 相册里有 { $count } 项不是静态图片，我会略过它们，编辑其余的。
queue-full = { $where ->
        [group] 现在排队的图片太多，这一张我没能接收。请大约一小时后用 /edit 再发一次；已经接收的会继续处理。
       *[private] 现在排队的图片太多，这一张我没能接收。请大约一小时后再发一次；已经接收的会继续处理。
    }
too-many-wait = 你已有 { $most } 个修图在排队，同一个人我不再多收。这一张没有接收，其他没有得到我确认的也一样；等其中一些完成后，请再发一次。
too-many-nameless-wait = 以群或频道名义请求的已有 { $most } 个修图在排队。这一张没有接收，其他没有得到我确认的也一样；请用你自己的名义，或等其中一些完成后再发一次。
limit-used-up = { $whose ->
        [all] 我每天为所有人总共最多编辑 { $most } 次，今天的已经用完。
        [chat] 这个群今天的 { $most } 次编辑已经用完。
        [nameless] 今天以群或频道名义可用的 { $most } 次编辑已经用完；用你自己的名义也许还有。
       *[person] 你今天的 { $most } 次编辑已经用完。
    }
not-taken-today = 这一张没有接受，其他没有得到我确认的也一样；请在{ $time }后新的一天开始时（00:00 UTC）再发一次。
used-up = { limit-used-up }{ not-taken-today }
used-up-waiting = { limit-used-up }其中 { $waiting } 次还在等待说明要改什么：用 /cancel 取消，或一小时内没有文字，就会退还。这一张没有接受，其他没有得到我确认的也一样；请到时再发一次。
credits-used-up = 今天可以花在编辑上的额度已经用完。
spent = { credits-used-up }{ not-taken-today }
prompt-too-long = 这段文字有 { $length } 个字符，而图像模型最多接受 { $most } 个。请说得短一些。
still-under-way = { $where ->
        [group] 这次编辑已经在进行中。想换一种改法，请用 /edit 加上要求回复图片本身。
       *[private] 这次编辑已经在进行中。想换一种改法，请回复图片本身。
    }
too-late-to-change = { $where ->
        [group] 来不及了：这次编辑已经下单，会按原来的文字继续。想再改一次，请用 /edit 加上要求回复图片；相册需要重新发送。
       *[private] 来不及了：这次编辑已经下单，会按原来的文字继续。想再改一次，请回复图片并说明要改什么；相册需要重新发送。
    }
change-after-the-end = 想换一种说法重新编辑，请回复这条消息并说明要改什么。
no-words = 这里没有可读的文字。请写下要改什么，比如“让它下雪”。
no-words-left = 编辑需要文字说明，所以我按原来的文字继续。/cancel 可以取消。

## How it stands

got-it = 收到，下一个就是你的图片。
in-the-queue = 收到，你的图片排在第 { $place } 位。
about-to-go = 大约还要 { $time }。
got-it-with-time = { got-it }{ about-to-go }
in-the-queue-with-time = { in-the-queue }{ about-to-go }
being-edited = 正在编辑你的图片。
usually = 通常需要 { $time }。
being-edited-with-time = { being-edited }{ usually }
seconds = { $count } 秒
minutes = { $count } 分钟
hours = { $count } 小时
waiting = 你的图片还在等待：我暂时无法把它交出去。我会不断重试，不用重新发送。
waiting-for-owner = 我现在无法下单：需要机器人的主人先处理 Kie.ai 的账户，主人已经知道了。你的图片在等待，之后会自动继续，不需要再发一次。
waiting-for-owner-unaware = 我现在无法下单：需要机器人的主人先处理 Kie.ai 的账户。你的图片在等待，之后会自动继续，不需要再发一次。
waiting-for-kie = Kie.ai 目前不接受订单。你的图片在等待，我会继续尝试，不需要再发一次。
waiting-for-tomorrow = 今天可以花费的额度已经用完。你的图片在等待，{ $time }后会自动继续，不需要再发一次。
takes-long = 这次花的时间比平常久。我会继续查看，图片一好就发给你，不用重新发送。
made-not-fetched = Kie.ai 已经做好了你的图片，但我暂时还取不到。我会继续尝试，一拿到就发给你，不用重新发送。
doubt = 我已为你的图片下单，但没有收到 Kie.ai 的明确答复，也无法查明它有没有接下这个订单。如果让我再试一次，可能会被收费两次。
doubt-left = 无法查明 Kie.ai 是否接下了这张图片的订单，也没有再次下单。
cancelled-here = 已取消，没有下单。
cancelled-in-doubt = 已取消，不会第二次下单；第一次的订单有没有被接下，无人知道。
nothing-under-way = 目前没有正在进行的编辑。
more-under-way = 除这些外，还有 { $count } 次编辑正在进行。

## /cancel

taken-back = { $count ->
        [1] 已取消，不会下单。
       *[other] 已取消 { $count } 次编辑，都不会下单。
    }
nothing-to-cancel = 没有可以取消的编辑。
cannot-be-cancelled = 有 { $coming } 次编辑已经下单，无法撤回；有了结果我会发给你。
taken-back-and-coming =
    { taken-back }
    { cannot-be-cancelled }

## /usage

left-today = { $whose ->
        [all] 所有人今天一共还剩 { $left } 次编辑，每天 { $most } 次。
        [chat] 这个群今天还剩 { $left } 次编辑，每天 { $most } 次。
        [nameless] 以群或频道名义今天还剩 { $left } 次编辑，每天 { $most } 次。
       *[person] 你今天还剩 { $left } 次编辑，每天 { $most } 次。
    }
no-limit = 你没有每日限制。
begins-anew = { $time }后（00:00 UTC）会有新的次数。
used-in-all = { $most ->
        [0] 今天所有人的编辑：{ $used } 次。
       *[other] 今天所有人的编辑：{ $used } 次，每天最多 { $most } 次。
    }
spent-today = { $most ->
        [0] 今天花费的点数：{ $spent }。
       *[other] 今天花费的点数：{ $spent }，每天最多 { $most }。
    }
balance = Kie.ai 剩余点数：{ $credits }（{ $time }前得知）。

## Who may use the bot, for admins

help-for-admins =
    作为我的管理员，你还可以：
    /allow、/deny 和 /block：回复某人的消息（转发给我的也可以）或写上 id，决定谁可以使用我；deny 会告知对方，block 则不再回应
    /usage 显示今天用了多少、花了多少
    /stats 显示整体情况：编辑了多少、结果如何、用了多久、花了多少；/stats 24h 或 /stats 365d 查看其他时间段
whom = { $where ->
        [group] 请用 /{ $command } 回复那个人的消息，或在后面写上 id，例如“/{ $command } 123456789”。这个群的 id 是 { $chat }。
       *[private] 请在后面写上 id，例如“/{ $command } 123456789”，或把对方的消息转发给我，再用 /{ $command } 回复它。群和频道的 id 以减号开头。
    }
whom-hidden = 写这条消息的人隐藏了自己的账号。请写上 id，例如“/{ $command } 123456789”。
whose-id = { $kind ->
        [placer] { $id }（把我加进群的人）
        [group] 群 { $id }
        [channel] 频道 { $id }
        [chat] 群或频道 { $id }
        [nameless] { $id }（在我不知道是谁加我进来的地方，所有以群或频道名义说话的）
       *[person] { $id }
    }
now-allowed = 从现在起可以使用我：{ $ids }。
now-allowed-anyway = 已记下：{ $ids }。目前其他人也都可以使用我，因为 ALLOWED_IDS 是空的。
now-denied = 不能再使用我：{ $ids }。还没有下单的已取消。对方询问时会被告知，每天一次。
now-blocked = 我不再回应：{ $ids }。还没有下单的已取消。/allow 可以撤销。
admins-stay = 管理员始终可以使用我，所以没有改变。谁是管理员由 ADMIN_IDS 决定。

## /stats，给管理员：图片说明和图片里的文字（越短越好）

stats-which = 请写明要看多长时间：/stats 24h 表示小时（最多 { $hours }），/stats 30d 表示天（最多 { $days }），只写 /stats 则为一周。
stats-days = { $count ->
        [1] 今天
       *[other] 最近 { $count } 天
    }
stats-hours = { $count ->
        [1] 这一小时
       *[other] 最近 { $count } 小时
    }
stats-until = 截至 { $time } UTC
stats-none = 这段时间没有人要求编辑。
stats-edits = 编辑：{ $count } 次
stats-end = { $what }：{ $count }（{ $share } %）
stats-success = 成功率：{ $share } %，不含用户自己撤回的
stats-waits = 从请求到图片：一半在 { $half }内，95 % 在 { $most }内。其中 Kie 所占时间：{ $share } %
stats-credits = 这些日子（UTC）花费的点数：{ $credits }
stats-busiest = 最忙的时段：{ $start }–{ $end } UTC
stats-number = { $count }
stats-percent = { $share } %
stats-tile-edits = 编辑次数
stats-tile-success = 成功率
stats-tile-wait = 通常等待
stats-tile-credits = 点数
stats-by-day = 每天的编辑
stats-by-week = 每天的编辑，按周
stats-by-hour = 每小时的编辑
stats-of-day = 一天中的小时（UTC）
stats-ends = 结果
stats-wait = 从请求到图片
stats-half = 一半
stats-most = 95 %
stats-of-it-kie = Kie
stats-failed = 失败
stats-others = 其他
stats-end-made = 完成
stats-end-refused = 被拒绝
stats-end-broke = Kie 失败
stats-end-picture = 图片不可用
stats-end-doubt = 不确定
stats-end-overdue = 未完成
stats-end-deleted = 已删除
stats-end-no-prompt = 没有文字
stats-end-taken-back = 已取消
stats-end-open = 进行中
brief-seconds = { $count } 秒
brief-minutes = { $count } 分钟
brief-hours = { $count } 小时

## Buttons (short), and what appears for a moment when one is pressed (at most 200 characters)

button-cancel = 取消
button-original = 原始文件
button-fetch = 重新获取
button-again = 再试一次
button-leave = 算了
button-variation = 再来一张
button-delete = 删除
button-back = ‹ 返回
button-erase = 全部删除
button-keep = 保留
toast-cancelled = 已取消。
toast-too-late = 来不及了：已经下单，有了结果我会发给你。
toast-settled = 这件事已经定了。
toast-old = 这个按钮太旧，已经没有作用了。
toast-not-yours = 这个按钮只供要求这次编辑的人使用。
toast-fetching = 正在获取原始文件…
toast-coming = 原始文件马上就到。
toast-original-there = 原始文件已经在这个聊天里了，就在对这张图片的回复中。
toast-original-later = 原始文件每分钟一个。请稍后再按一次。
toast-picture-fetching = 正在获取图片…
toast-picture-coming = 我还在获取这张图片，一拿到就发给你。
toast-picture-there = 这张图片已经在这个聊天里了。
toast-picture-later = 图片每分钟一张。请稍后再按一次。
toast-again = 我再下一次单。
toast-left = 好，就这样吧。
toast-news = 第一次的订单有消息了，我正在核实。
toast-idea = 好主意。
toast-varied = 另一个版本正在路上。
toast-varied-already = 这张图片的另一个版本已经在路上了。
toast-used-up = 今天的编辑次数已经用完。{ $time }后会有新的。
toast-full = 现在排队的太多，我没能接收。请稍后再试。
toast-erased = 制作这张图片的素材我已经没有了，请重新发送图片。
toast-deleted = 已删除。
toast-picture-deleted = 这张图片已被删除。
toast-too-old-to-delete = { $where ->
        [group] Telegram 只允许我删除两天以内的消息。群管理员仍可以删除它。
       *[private] Telegram 只允许我删除两天以内的消息。你自己仍可以删除它。
    }
toast-for-admins = 只有本群管理员可以更改设置。
toast-chosen = 已更改。
toast-kept = 什么都没有删除。

## /settings

settings = { $where ->
        [group] 本群的图片以什么形式发送，以及我在这里说什么语言。只有管理员可以更改。
       *[private] 你的图片以什么形式发送，以及我和你说什么语言。
    }
settings-for-admins = 只有本群管理员可以更改设置。在与我的私聊里，你有自己的设置。
setting-format = 格式：{ $value }
setting-aspect-ratio = 比例：{ $value }
setting-answer-as = 发送为：{ $value }
setting-language = 语言：{ $value }
choose-format = 图片用哪种格式？PNG 保留全部细节，JPEG 文件更小。
choose-aspect-ratio = 图片要什么比例？除“保持原样”外都可能额外收费。在文字末尾写上比例，比如“让它下雪 16:9”，只对那一张图片有效。
choose-answer-as = 图片怎样发送？照片会被 Telegram 压缩，文件则与模型生成的完全一样。
choose-language = 我在这里该说什么语言？
as-auto = 保持原样
as-photo = 照片
as-file = 文件
as-both = 照片和文件
own-language = 跟随应用
this-language = 简体中文

## /delete

delete-in-private = 请在我们的私聊里给我发 /delete。我会在那里显示我保存了你的哪些信息（包括来自群里的），你确认后就删除。
delete-question =
    这是我保存的你的信息，来自我们的聊天和所有群：

    • 编辑：{ $edits } 个，含你的说明文字或要求 { $texts } 条，图片在 Telegram 上的引用 { $pictures } 个
    • 进行中：{ $waiting ->
        [0] 没有等待的
       *[other] { $waiting } 个在等待，将被取消
    }；{ $ordered ->
        [0] 没有已下单的
       *[other] { $ordered } 个已下单并付费，删除后不会再发给你；想要的话，请先保留，等图片到了再删
    }
    • 我记着的回答和其他消息：{ $messages } 条
    • 设置和语言：{ $settings ->
        [some] 你的选择
       *[none] 无
    }
    • 你把我加进的群：{ $groups } 个

    删除后无法恢复。只会留下不指向任何人的数字（何时下单、在 Kie.ai 的编号、费用）、你是否可以使用这个机器人（如果不可以，还有你把它加进了哪些群），以及两天之内你请求过多少次编辑。群里其他人用你的图片做的编辑属于他们。

    我无法触及的：我们聊天里的消息和 Telegram 的副本，你可以自己删除；在群里，请先按我图片下面的“删除”。Kie.ai 会把上传的图片最多保存 { $uploads } 天，生成的图片保存 { $results } 天，记录保存 { $records } 个月。
nothing-to-delete = 我没有保存可以删除的关于你的信息。
deleted = 我保存的你的信息已全部删除。这里的消息由你自己删除；在 Kie.ai，最后的记录最迟 { $records } 个月后消失。如果你再给我写信，一切从头开始。

## Ideas, on buttons under the question what to change (short)

idea-figure = 桌上的手办
idea-snow = 冬天
idea-night = 夜晚
idea-watercolour = 水彩画
idea-clean = 去掉路人
idea-restore = 修复

## The answer

answer = 给你。
answer-as-file = 给你。Telegram 不接受它作为照片，所以以文件形式发送。
answer-without-rest = 给你。相册里不是静态图片的内容，我略过了。
answer-of-one = 给你。你的相册我只收到了这一张：如果我是管理员，并且 /edit 一开始就写在说明文字里，我就能看到全部。
answer-unconfirmed = 这张图片我发了好几次，但 Telegram 一直没有告诉我是否送达。如果你没有看到，请按一下按钮，我会再发一次。
original = 图像模型生成的原始文件。
original-gone = 原始文件已经无法获取：它只保留有限的时间。上面的图片就是现有的最佳版本。
original-not-fetched = 我还没能取到原始文件并发给你。按一下按钮，我会再试一次。

## Why there is no picture

album-item = 第 { $place } 张图片（共 { $count } 张）：{ $words }这个相册没有下单。
not-a-picture = 这个文件不是我能读取的图片。请发送 JPEG、PNG 或 WebP 文件，或者照片。
other-format = 这是 { $format } 文件，我读不了。请以照片形式发送，或发送 JPEG、PNG 或 WebP。
broken-picture = 这个图片文件已损坏或不完整。请以照片形式（而不是文件）再发一次，或先打开它，另存为 JPEG 或 PNG。
too-many-pixels = 这张图片的像素太多了。请发一张小一些的，或以照片形式发送。
too-narrow = 这张图片太窄了：长边最多是短边的 { $most } 倍。请只发送其中一部分。
too-much-work = 这个图片文件的构造特殊，打开它要花太长时间。请重新保存为 JPEG 或 PNG，或以照片形式发送。
animated = 这张图片会动，而我只能编辑静态图片。请发一张单独的图片。
file-too-large = 这个文件太大了：Telegram 最多只让我下载 20 MB。请发一个小一些的，或以照片形式发送。
not-fetched = 我没能从 Telegram 取到你的图片。请再发一次。
not-taken = Kie.ai 两天都没有接下这个订单（{ $words }），所以我放弃了。请重新发送图片。
model-refuses =
    图像模型不愿意这样做：{ $words }

    请换一个要求，或换一张图片。
refused-order =
    Kie.ai 没有接受：{ $words }

    请换一个要求，或换一张图片。
broke = 图像模型没能完成这张图片（{ $words }）。请再发一次，也许稍晚一点。
no-result = Kie.ai 说你的图片已经完成，但我在它的回复里找不到图片。回复已保存，本机器人的运营者可以去找；你不用重新下单。
never-finished = Kie.ai 一天之内都没有完成这张图片，我不再等它了。请再发一次。
never-learned = 两周以来 Kie.ai 都没有告诉我你的图片怎么样了，我不再询问。请再发一次。
result-lost = 你的图片已经做好，但我还没能从 Kie.ai 取到它。不用重新下单：按一下按钮，我会继续尝试。Kie.ai 最多保留 { $results } 天。
result-not-sent = 你的图片已经做好，但我还没能发给你。不用重新下单：按一下按钮，我会再试一次。Kie.ai 最多保留 { $results } 天。
result-gone = 这张图片曾经做好，但已经无法获取：Kie.ai 只在有限的时间内保留图片。
undeliverable = 你的图片已经做好，但我没能发给你（{ $words }）。不用重新下单：按一下按钮，我会再试一次。
may-not-send = 图片已经做好，但本群不允许我发送。等管理员允许之后，按一下按钮我就发出来；不用重新下单。
trouble = 处理你的消息时出了问题，没能用上。请再发一次。
no-reason = 没有说明原因
broken-step = 我这边出了问题，没有为你的图片下单。请再发一次。

## Menus of commands (at most 256 characters each)

command-edit = 编辑图片：写进图片的说明文字，或回复图片
command-status = 你的编辑进行得怎样
command-cancel = 取消还没有下单的编辑
command-usage = 今天还剩多少次编辑
command-stats = 整体情况，以图片显示
command-settings = 格式、比例、照片或文件、语言
command-help = 我能做什么，怎么做
command-privacy = 谁会收到你的图片
command-delete = 我保存了你的哪些信息，并删除

## For the admins

admin-poison = 有一条来自 Telegram 的更新无法理解，已搁置（更新 { $update }，{ $fault }）。机器人继续运行，详情见日志。
admin-low = Kie.ai 只剩 { $credits } 点，少于 { $low }（LOW_CREDITS）。请在用完之前到 https://kie.ai 充值。
admin-halt-credits = Kie.ai 的余额用完了。请到 https://kie.ai 充值，等待中的图片随后会继续。
admin-halt-key = Kie.ai 不接受这个 API 密钥。请检查 KIE_API_KEY（以及该密钥的 IP 白名单），然后重启我。
admin-halt-cap = Kie.ai 密钥的用量上限已到。请在 https://kie.ai/api-key 提高上限，或等它恢复。
admin-outage = Kie.ai 目前不接受订单（{ $words }）。我会自己重试，每次一个订单。
admin-resumed = Kie.ai 又开始接受订单了。
admin-garbled = Kie.ai 的回答与其文档不符：{ $words }
admin-no-result = Kie.ai 报告任务完成，但我在其中找不到图片：任务 { $task }，作业 { $job }。回复已保存：python -m bot jobs { $job }
admin-mixed-up = Kie.ai 用另一个订单的任务回应了作业 { $job } 的订单。没有人收到别人的图片；找不到自己图片的人会被询问怎么办。日志里列出了每个作业。
admin-absurd = Kie.ai 给出了不可能的数字（{ $figures }，任务 { $task }，作业 { $job }）。这些数字按未知处理；价格未知的修图按通常价格计算。请与 https://kie.ai/logs 核对。
admin-rejected = 我有一条消息现在和以后都无法发送：{ $words }
admin-expired = 有一条消息三天内都没能送达，已放弃：{ $key }
admin-broken = 作业 { $job } 的某一步一再失败（{ $fault }），详情见日志。
admin-mistake = 我内部出了错（{ $what }：{ $fault }）。我已把它搁置，其他一切照常；详情见日志。
admin-moved = ALLOWED_IDS 里的群 { $old } 已升级为超级群，现在的 ID 是 { $new }。它仍可使用；请把新 ID 写进名单。
