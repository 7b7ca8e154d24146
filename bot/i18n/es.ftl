# Everything a person can read, in Spanish. Plain text: nothing in it is markup.
# What stands in braces is filled in by the bot and has to stay.

## What one reads who asks

start = { $where ->
        [group]
            ¡Hola! Para editar una foto aquí, envíala con /edit y lo que quieras cambiar en la descripción, por ejemplo «/edit haz que nieve», o responde con /edit y tu deseo a una foto de este chat. En /help te cuento más.
       *[private]
            ¡Hola! Envíame una foto con una descripción que diga qué cambiar, por ejemplo «haz que nieve», y te la devuelvo editada.

            También puedes enviar álbumes y archivos de imagen. En /help te cuento más; en /privacy, quién ve tu imagen.
    }
help = { $where ->
        [group]
            Envía una foto, un álbum o archivos de imagen con /edit y lo que quieras cambiar en la descripción, por ejemplo «/edit haz que nieve», o responde «/edit haz que nieve» a una imagen de este chat. Para seguir cambiando una de mis imágenes, basta con responder a ella y decir cómo. Lo demás ni lo respondo ni lo guardo.

            Termina tu texto con 1:1, 3:4, 9:16, 4:3 o 16:9 para obtener esa proporción, que puede costar más.

            /status dice cómo van tus ediciones
            /cancel anula lo que pediste y aún no se ha encargado
            /usage dice cuántas ediciones quedan hoy
            /settings es para administradores: formato, proporción, foto o archivo, idioma
            /privacy explica quién recibe tu imagen y durante cuánto tiempo
       *[private]
            Envía una foto, un álbum de hasta diez o archivos de imagen (JPEG, PNG, WebP, HEIC y otros, de 20 MB como máximo cada uno) y escribe en la descripción (el pie de foto) qué quieres cambiar. Por ejemplo: «haz que nieve», «quita a la gente del fondo», «pon a la persona de la primera imagen en la segunda». De un álbum sale una sola imagen.

            ¿Sin descripción? Te pregunto y uso tu siguiente mensaje. Para seguir cambiando una imagen, responde a ella y di cómo.

            Termina tu texto con 1:1, 3:4, 9:16, 4:3 o 16:9 para obtener esa proporción, que puede costar más: «haz que nieve 16:9».

            La imagen editada te llega como respuesta, normalmente en uno o dos minutos. Mientras no esté encargada, todavía puedes editar la descripción o cancelar.

            /status dice cómo van tus ediciones
            /cancel anula lo que aún no se ha encargado
            /usage dice cuántas ediciones quedan hoy
            /settings cambia el formato, la proporción, foto o archivo, y el idioma
            /privacy explica quién recibe tu imagen y durante cuánto tiempo
            /delete muestra lo que tengo guardado sobre ti y lo borra
    }
privacy =
    Qué pasa con tu imagen:

    • Me llega a través de Telegram, y la editada te llega igual. Telegram guarda nuestros mensajes según sus propias reglas; borrarlos depende de ti.
    • Se envía, junto con tus palabras, a Kie.ai, que crea la imagen editada con el modelo de imágenes de Google. { $transport ->
        [direct] Kie la descarga directamente de Telegram. La dirección que le doy para ello contiene mi clave de Telegram, con la que Kie podría leer lo que me envían.
       *[upload] La subo al almacén de Kie con un nombre que nadie puede adivinar; quien reciba esa dirección puede verla.
    } Si la envías como archivo, antes le quito la ubicación, los datos de la cámara y otros datos ocultos; si es una foto, ya los quitó tu aplicación. Ni tu nombre ni tu ID de Telegram llegan a Kie. Según el más largo de los plazos que indica, Kie guarda las imágenes subidas { $uploads } días, las terminadas { $results } días, y el registro de cada tarea, con tus palabras, { $records } meses.
    • Yo no guardo imágenes. Cuando una edición termina, guardo durante { $days ->
        [one] un día
       *[other] { $days } días
    } de quién era, tus palabras, dónde está la imagen en Telegram y en Kie, y lo que dije sobre ella; lo demás que dije, durante { $messages ->
        [one] un día
       *[other] { $messages } días
    }. Después lo borro, y solo quedan números que no llevan a nadie: cuándo se encargó algo, su número en Kie y cuánto costó. Lo que elegiste en /settings queda hasta que lo cambies o lo borres, y que me añadiste a un grupo, mientras yo siga en él. Si puedes usarme (si no, también a qué grupos me añadiste), y durante dos días cuántas ediciones pediste, lo guardo incluso entonces.
    • En los grupos no guardo nada que no sea para mí.
    • Quien administra este bot puede leer lo que guardo, y puede tener copias de seguridad. Si algo falla, se le dice qué, sin tus palabras ni tus imágenes. Nadie más recibe nada.
    • En nuestro chat privado, /delete muestra lo que tengo guardado sobre ti, de todos los chats, y lo borra.
unknown-command = No conozco ese comando. En /help te cuento lo que puedo hacer.
stranger = Este bot es solo para personas invitadas. Para pedir acceso, envíale tu ID a quien lo administra: { $id }
hello = { $hearing ->
        [all]
            ¡Hola! Envía una foto con /edit y lo que quieras cambiar en la descripción, por ejemplo «/edit haz que nieve», y respondo con la imagen editada.
            Para cambiar una imagen de este chat, responde a ella con /edit y tu deseo; no guardo nada que no sea para mí. En /help te cuento más.
       *[some]
            ¡Hola! Envía una foto con /edit y lo que quieras cambiar en la descripción, por ejemplo «/edit haz que nieve», y respondo con la imagen editada.
            Los álbumes, y las imágenes de otros a las que respondas, quizá solo los vea si soy administrador; no guardo nada que no sea para mí. En /help te cuento más.
    }

## Pictures and words that belong together

question = { $where ->
        [group] { $count ->
            [one] ¿Qué cambio en esta imagen? Responde a este mensaje y dilo, por ejemplo «haz que nieve».
           *[other] ¿Qué hago con estas { $count } imágenes? Responde a este mensaje y dilo, por ejemplo «pon a la persona de la primera en la segunda».
        }
       *[private] { $count ->
            [one] ¿Qué cambio en esta imagen? Solo escríbelo, por ejemplo «haz que nieve».
           *[other] ¿Qué hago con estas { $count } imágenes? Solo escríbelo, por ejemplo «pon a la persona de la primera en la segunda».
        }
    }
question-too-long = Tu descripción tiene { $length } caracteres y el modelo de imágenes acepta { $most } como máximo. Responde a este mensaje y dilo con menos palabras, por favor. Lo que enviaste ya lo tengo.
question-over = Esperé una hora a que dijeras qué cambiar, así que no se editó nada. Para retomarlo, responde a este mensaje y di qué cambiar.
no-picture = { $where ->
        [half-deaf] No veo a qué imagen se refiere esto: envíala con /edit y tu deseo en la descripción, o hazme administrador para que pueda ver a qué respondes.
        [group] No veo a qué imagen se refiere esto: envía una con /edit y tu deseo en la descripción, o responde a una imagen con /edit y tu deseo.
       *[private] Yo edito imágenes. Envíame una con una descripción que diga qué cambiar, por ejemplo «haz que nieve», o responde a una imagen de este chat.
    }
unsupported = Solo puedo editar imágenes fijas. Envíame una foto o un archivo de imagen con una descripción que diga qué cambiar.
picture-deleted = Esta imagen se borró, así que no hago nada más con ella. /help explica cómo pedir otra.
late-item = { $where ->
        [group] Esta imagen llegó demasiado tarde para unirse a su álbum. Si quieres que la edite, responde a ella con /edit y lo que quieras cambiar.
       *[private] Esta imagen llegó demasiado tarde para unirse a su álbum. Si quieres que la edite, responde a ella y di qué cambiar.
    }
left-out = { $count ->
        [one] Dejo fuera lo que no es una imagen fija y uso el resto de tu álbum.
       *[other] Dejo fuera { $count } elementos de tu álbum que no son imágenes fijas y uso el resto.
    }
queue-full = { $where ->
        [group] Ahora mismo hay tantas imágenes en espera que no he podido aceptar esta. Envíala de nuevo, con /edit, dentro de una hora más o menos; las que ya acepté siguen su curso.
       *[private] Ahora mismo hay tantas imágenes en espera que no he podido aceptar esta. Envíala de nuevo dentro de una hora más o menos; las que ya acepté siguen su curso.
    }
too-many-wait = Ya tienes { $most } ediciones en espera, y no acepto más de una misma persona. Esta no la he aceptado, ni ninguna otra que no te confirme; envíala de nuevo cuando algunas estén listas.
too-many-nameless-wait = Ya hay { $most } ediciones en espera pedidas en nombre de grupos o canales. Esta no la he aceptado, ni ninguna otra que no te confirme; envíala de nuevo en tu propio nombre, o cuando algunas estén listas.
limit-used-up = { $whose ->
        [all] { $most ->
            [one] Hago una sola edición al día para todos juntos, y la de hoy está agotada.
           *[other] Hago como máximo { $most } ediciones al día para todos juntos, y las de hoy están agotadas.
        }
        [chat] { $most ->
            [one] La única edición de hoy de este grupo está agotada.
           *[other] Las { $most } ediciones de hoy de este grupo están agotadas.
        }
        [nameless] { $most ->
            [one] La única edición de hoy que se puede pedir en nombre de un grupo o canal está agotada; en tu propio nombre quizá te quede alguna.
           *[other] Las { $most } ediciones de hoy que se pueden pedir en nombre de un grupo o canal están agotadas; en tu propio nombre quizá te quede alguna.
        }
       *[person] { $most ->
            [one] Tu única edición de hoy está agotada.
           *[other] Tus { $most } ediciones de hoy están agotadas.
        }
    }
not-taken-today = Esta no la acepto, ni ninguna otra que no te confirme; envíala otra vez, por favor, en { $time }, cuando empiece el nuevo día (00:00 UTC).
used-up = { limit-used-up } { not-taken-today }
used-up-waiting = { limit-used-up } { $waiting ->
        [one] Una de ellas aún espera a que le digan qué cambiar: se devuelve si la anulas con /cancel, o si en una hora no llegan palabras.
       *[other] { $waiting } de ellas aún esperan a que les digan qué cambiar: se devuelven si las anulas con /cancel, o si en una hora no llegan palabras.
    } Esta no la acepto, ni ninguna otra que no te confirme; envíala otra vez entonces, por favor.
credits-used-up = Lo que se puede gastar hoy en ediciones está agotado.
spent = { credits-used-up } { not-taken-today }
prompt-too-long = Eso tiene { $length } caracteres y el modelo de imágenes acepta { $most } como máximo. Dilo con menos palabras, por favor.
still-under-way = { $where ->
        [group] Esta edición ya está en marcha. Si quieres otra edición distinta, responde a la propia imagen con /edit y lo que quieras cambiar.
       *[private] Esta edición ya está en marcha. Si quieres otra edición distinta, responde a la propia imagen.
    }
too-late-to-change = { $where ->
        [group] Llegó demasiado tarde: esta edición ya está encargada y sigue con tus palabras anteriores. Para hacer otra, responde a la imagen con /edit y lo que quieras cambiar; un álbum hay que enviarlo de nuevo.
       *[private] Llegó demasiado tarde: esta edición ya está encargada y sigue con tus palabras anteriores. Para hacer otra, responde a la imagen y di qué cambiar; un álbum hay que enviarlo de nuevo.
    }
change-after-the-end = Para editar esto con otras palabras, responde a este mensaje y di qué cambiar.
no-words = Ahí no hay nada que leer. Escribe qué quieres cambiar, por ejemplo «haz que nieve».
no-words-left = Para editar necesito un texto, así que sigo con el anterior. Con /cancel puedes anularlo.

## How it stands

got-it = ¡Recibido! Tu imagen es la siguiente.
in-the-queue = ¡Recibido! Tu imagen es la número { $place } en la cola.
about-to-go = Tiempo restante: más o menos { $time }.
got-it-with-time = { got-it } { about-to-go }
in-the-queue-with-time = { in-the-queue } { about-to-go }
being-edited = Estoy editando tu imagen.
usually = Suele tardar { $time }.
being-edited-with-time = { being-edited } { usually }
seconds = { $count ->
        [one] { $count } segundo
       *[other] { $count } segundos
    }
minutes = { $count ->
        [one] un minuto
       *[other] { $count } minutos
    }
hours = { $count ->
        [one] una hora
       *[other] { $count } horas
    }
waiting = Tu imagen sigue en espera: ahora mismo no puedo pasarla. Lo sigo intentando; no hace falta que la envíes otra vez.
waiting-for-owner = Ahora mismo no puedo encargar nada: la cuenta del bot en Kie.ai necesita antes a su responsable, que ya lo sabe. Tu imagen espera y luego sigue por sí sola; no hace falta enviarla otra vez.
waiting-for-owner-unaware = Ahora mismo no puedo encargar nada: la cuenta del bot en Kie.ai necesita antes a su responsable. Tu imagen espera y luego sigue por sí sola; no hace falta enviarla otra vez.
waiting-for-kie = Kie.ai no acepta encargos en este momento. Tu imagen espera, sigo intentándolo y no hace falta enviarla otra vez.
waiting-for-tomorrow = Lo que se puede gastar hoy está agotado. Tu imagen espera y sigue por sí sola en { $time }; no hace falta enviarla otra vez.
takes-long = Está tardando más de lo normal. Sigo pendiente y te envío la imagen en cuanto esté lista; no hace falta que la envíes otra vez.
made-not-fetched = Kie.ai ya hizo tu imagen, pero todavía no puedo descargarla. Sigo intentándolo y te la envío en cuanto la tenga; no hace falta que envíes la tuya otra vez.
doubt = Encargué tu imagen, pero no recibí una respuesta clara de Kie.ai y no puedo averiguar si aceptó el encargo. Si me dejas intentarlo otra vez, podría cobrarse dos veces.
doubt-left = No se pudo averiguar si Kie.ai aceptó el encargo de esta imagen, y no se volvió a encargar.
cancelled-here = Cancelado. No se encargó nada.
cancelled-in-doubt = Cancelado. No se encarga por segunda vez; nadie sabe si el primer encargo fue aceptado.
nothing-under-way = Ahora mismo no hay nada en marcha.
more-under-way = { $count ->
        [one] Además de estas hay una edición más en marcha.
       *[other] Además de estas hay { $count } ediciones más en marcha.
    }

## /cancel

taken-back = { $count ->
        [one] Cancelado: no se encargará.
       *[other] Canceladas: { $count } ediciones. No se encargarán.
    }
nothing-to-cancel = No hay nada que cancelar.
cannot-be-cancelled = { $coming ->
        [one] Una edición ya está encargada y no se puede deshacer; te enviaré lo que salga.
       *[other] { $coming } ediciones ya están encargadas y no se pueden deshacer; te enviaré lo que salga.
    }
taken-back-and-coming =
    { taken-back }
    { cannot-be-cancelled }

## /usage

left-today = { $whose ->
        [all] Entre todos { $left ->
            [one] queda
           *[other] quedan
        } { $left } de { $most } { $most ->
            [one] edición
           *[other] ediciones
        } hoy.
        [chat] A este grupo le { $left ->
            [one] queda
           *[other] quedan
        } { $left } de { $most } { $most ->
            [one] edición
           *[other] ediciones
        } hoy.
        [nameless] En nombre de un grupo o canal { $left ->
            [one] queda
           *[other] quedan
        } { $left } de { $most } { $most ->
            [one] edición
           *[other] ediciones
        } hoy.
       *[person] Te { $left ->
            [one] queda
           *[other] quedan
        } { $left } de { $most } { $most ->
            [one] edición
           *[other] ediciones
        } hoy.
    }
no-limit = Para ti no hay límite diario.
begins-anew = Habrá nuevas en { $time } (a las 00:00 UTC).
used-in-all = { $most ->
        [0] Ediciones de todos hoy: { $used }.
       *[other] Ediciones de todos hoy: { $used } de { $most }.
    }
spent-today = { $most ->
        [0] Créditos gastados hoy: { $spent }.
       *[other] Créditos gastados hoy: { $spent } de { $most }.
    }
balance = Créditos que quedan en Kie.ai: { $credits }, según supe hace { $time }.

## Who may use the bot, for admins

help-for-admins =
    Para ti, como administrador mío:
    /allow, /deny y /block, en respuesta a un mensaje de alguien (también uno que me hayas reenviado) o con su id, dicen quién puede usarme; deny se lo dice, block ya no responde
    /usage dice lo que se ha usado y gastado hoy
    /stats muestra cómo va todo: cuántas ediciones, en qué quedaron, cuánto tardaron y cuánto costaron; /stats 24h o /stats 365d para otro periodo
whom = { $where ->
        [group] Responde /{ $command } a un mensaje de la persona, por favor, o escribe detrás su id, como «/{ $command } 123456789». El id de este grupo es { $chat }.
       *[private] Escribe detrás el id, por favor, como «/{ $command } 123456789», o reenvíame un mensaje suyo y respóndele con /{ $command }. Los ids de grupos y canales empiezan con un signo menos.
    }
whom-hidden = Quien escribió esto oculta su cuenta. Escribe el id, por favor, como «/{ $command } 123456789».
whose-id = { $kind ->
        [placer] { $id } (quien me añadió al grupo)
        [group] el grupo { $id }
        [channel] el canal { $id }
        [chat] el grupo o canal { $id }
        [nameless] { $id } (todos los que hablan en nombre de un grupo o canal donde no sé quién me añadió)
       *[person] { $id }
    }
now-allowed = Desde ahora puede usarme: { $ids }.
now-allowed-anyway = Anotado: { $ids }. Por ahora también pueden usarme todos los demás, porque ALLOWED_IDS está vacío.
now-denied = Ya no puede usarme: { $ids }. Lo que aún no se había encargado queda cancelado. A quien pregunte se le dice, una vez al día.
now-blocked = Ya no recibe respuesta mía: { $ids }. Lo que aún no se había encargado queda cancelado. /allow lo revierte.
admins-stay = Un administrador siempre puede usarme, así que no cambié nada. Quién lo es lo dice ADMIN_IDS.

## /stats, para administradores: el pie de la imagen y lo que hay en ella (lo más corto posible)

stats-which = Escribe hasta dónde debo mirar: /stats 24h para horas (como mucho { $hours }), /stats 30d para días (como mucho { $days }) o solo /stats para una semana.
stats-days = { $count ->
        [one] Hoy
       *[other] Los últimos { $count } días
    }
stats-hours = { $count ->
        [one] Esta hora
       *[other] Las últimas { $count } horas
    }
stats-until = hasta { $time } UTC
stats-none = Nadie ha pedido una edición en este tiempo.
stats-edits = Ediciones: { $count }
stats-end = { $what }: { $count } ({ $share } %)
stats-success = Éxito: { $share } %, sin contar lo que la gente retiró por sí misma
stats-waits = De la petición a la imagen: la mitad en { $half } o menos, el 95 % en { $most } o menos. Parte de Kie en ese tiempo: { $share } %
stats-credits = Créditos gastados en estos días UTC: { $credits }
stats-busiest = Hora con más ediciones: { $start }–{ $end } UTC
stats-number = { $count }
stats-percent = { $share } %
stats-tile-edits = ediciones
stats-tile-success = éxito
stats-tile-wait = espera
stats-tile-credits = créditos
stats-by-day = Ediciones al día
stats-by-week = Al día, por semana
stats-by-hour = Ediciones por hora
stats-of-day = Hora del día (UTC)
stats-ends = En qué quedaron
stats-wait = De la petición a la imagen
stats-half = mitad
stats-most = 95 %
stats-of-it-kie = Kie
stats-failed = fallidas
stats-others = otras
stats-end-made = hechas
stats-end-refused = rechazadas
stats-end-broke = falló Kie
stats-end-picture = mala imagen
stats-end-doubt = en duda
stats-end-overdue = no llegó
stats-end-deleted = borradas
stats-end-no-prompt = sin texto
stats-end-taken-back = canceladas
stats-end-open = en curso
brief-seconds = { $count } s
brief-minutes = { $count } min
brief-hours = { $count } h

## Buttons (short), and what appears for a moment when one is pressed (at most 200 characters)

button-cancel = Cancelar
button-original = Archivo original
button-fetch = Descargarla otra vez
button-again = Reintentar
button-leave = Dejarlo así
button-variation = Otra versión
button-delete = Borrar
button-back = ‹ Volver
button-erase = Borrar todo
button-keep = Conservarlo
toast-cancelled = Cancelado.
toast-too-late = Demasiado tarde: ya está encargada. Te enviaré lo que salga.
toast-settled = Eso ya está resuelto.
toast-old = Este botón es demasiado antiguo y ya no funciona.
toast-not-yours = Este botón es para la persona que pidió esta edición.
toast-fetching = Estoy descargando el archivo original…
toast-coming = El archivo original ya va en camino.
toast-original-there = El archivo original ya está en este chat, como respuesta a esta imagen.
toast-original-later = Un archivo original por minuto, por favor. Pulsa otra vez dentro de un momento.
toast-picture-fetching = Estoy descargando la imagen…
toast-picture-coming = Sigo descargando esta imagen y la envío en cuanto la tenga.
toast-picture-there = Esta imagen ya está en este chat.
toast-picture-later = Una imagen por minuto, por favor. Pulsa otra vez dentro de un momento.
toast-again = La encargo otra vez.
toast-left = Lo dejo como está.
toast-news = Hay noticias del primer encargo. Lo estoy comprobando.
toast-idea = Buena elección.
toast-varied = Otra versión está en camino.
toast-varied-already = Otra versión de esta imagen ya está en camino.
toast-used-up = Las ediciones de hoy están agotadas. Habrá nuevas en { $time }.
toast-full = Hay tanto en espera ahora mismo que no he podido aceptarlo. Inténtalo de nuevo más tarde.
toast-erased = Ya no tengo el material con el que se hizo esta imagen. Envíalo otra vez, por favor.
toast-deleted = Borrada.
toast-picture-deleted = Esta imagen se borró.
toast-too-old-to-delete = { $where ->
        [group] Telegram solo me deja borrar lo que tiene menos de dos días. Un administrador del grupo aún puede hacerlo.
       *[private] Telegram solo me deja borrar lo que tiene menos de dos días. Tú aún puedes hacerlo.
    }
toast-for-admins = Solo los administradores de este grupo pueden cambiar sus ajustes.
toast-chosen = Cambiado.
toast-kept = No se ha borrado nada.

## /settings

settings = { $where ->
        [group] Cómo llegan las imágenes en este grupo y qué idioma hablo aquí. Solo los administradores pueden cambiarlo.
       *[private] Cómo llegan tus imágenes y qué idioma hablo contigo.
    }
settings-for-admins = Solo los administradores de este grupo pueden cambiar sus ajustes. En tu chat conmigo tienes tus propios ajustes.
setting-format = Formato: { $value }
setting-aspect-ratio = Proporción: { $value }
setting-answer-as = Envío: { $value }
setting-language = Idioma: { $value }
choose-format = ¿En qué formato debe hacer las imágenes el modelo? PNG conserva cada detalle; JPEG ocupa menos.
choose-aspect-ratio = ¿Qué proporción deben tener las imágenes? Cualquiera que no sea «la original» puede costar más. Una proporción al final de tu texto, como «haz que nieve 16:9», vale solo para esa imagen.
choose-answer-as = ¿Cómo te envío las imágenes? Telegram comprime las fotos; los archivos llegan tal como los creó el modelo.
choose-language = ¿Qué idioma debo hablar aquí?
as-auto = la original
as-photo = foto
as-file = archivo
as-both = foto y archivo
own-language = el de la aplicación
this-language = Español

## /delete

delete-in-private = Envíame /delete en nuestro chat privado. Allí te muestro lo que tengo guardado sobre ti, también de los grupos, y lo borro si me lo dices.
delete-question =
    Esto es lo que tengo guardado sobre ti, de nuestro chat y de todos los grupos:

    • Ediciones: { $edits }, con { $texts ->
        [one] una descripción o deseo tuyo
       *[other] { $texts } descripciones o deseos tuyos
    } y { $pictures ->
        [one] una referencia a una imagen
       *[other] { $pictures } referencias a imágenes
    } en Telegram
    • En curso: { $waiting ->
        [0] ninguna en espera
        [one] una en espera, que se cancelará
       *[other] { $waiting } en espera, que se cancelarán
    }; { $ordered ->
        [0] ninguna encargada
        [one] una ya encargada y pagada. Su imagen ya no te llegará: si la quieres, conserva todo hasta que llegue
       *[other] { $ordered } ya encargadas y pagadas. Sus imágenes ya no te llegarán: si las quieres, conserva todo hasta que lleguen
    }
    • Respuestas y otros mensajes míos que recuerdo: { $messages }
    • Ajustes e idioma: { $settings ->
        [some] lo que elegiste
       *[none] nada
    }
    • Grupos a los que me añadiste: { $groups }

    Si lo borras, desaparece para siempre. Solo quedan números que no llevan a nadie (cuándo se encargó algo, su número en Kie.ai, cuánto costó), si puedes usar este bot y, si no puedes, a qué grupos lo añadiste, y, durante dos días, cuántas ediciones pediste. Lo que otras personas de un grupo hayan hecho con tus imágenes es suyo.

    Fuera de mi alcance: los mensajes de nuestro chat y las copias de Telegram, que puedes borrar tú; en los grupos, pulsa antes Borrar bajo mis imágenes. Kie.ai guarda las imágenes subidas hasta { $uploads } días, las terminadas { $results } días, y sus registros { $records } meses.
nothing-to-delete = No tengo nada guardado sobre ti que se pueda borrar.
deleted = Todo lo que tenía guardado sobre ti está borrado. Los mensajes de aquí los puedes borrar tú, y en Kie.ai el último registro desaparece en { $records } meses como muy tarde. Si me vuelves a escribir, empiezo de cero.

## Ideas, on buttons under the question what to change (short)

idea-figure = Figura de colección
idea-snow = Invierno
idea-night = De noche
idea-watercolour = Acuarela
idea-clean = Sin curiosos
idea-restore = Restaurada

## The answer

answer = Aquí la tienes.
answer-as-file = Aquí la tienes, como archivo, porque Telegram no la acepta como foto.
answer-without-rest = Aquí la tienes. De tu álbum dejé fuera lo que no es una imagen fija.
answer-of-one = Aquí la tienes. De tu álbum solo recibí esta imagen: como administrador las veo todas, si /edit está en una descripción desde el principio.
answer-unconfirmed = Te envié esta imagen varias veces, pero Telegram nunca me dijo si llegó. Si no la ves, pulsa el botón y la envío una vez más.
original = El archivo tal como lo creó el modelo de imágenes.
original-gone = El archivo original ya no está disponible: solo se guarda durante un tiempo. La imagen de arriba es lo mejor que hay.
original-not-fetched = Todavía no pude descargar el archivo original y enviártelo. Pulsa el botón y lo intento otra vez.

## Why there is no picture

album-item = Imagen { $place } de { $count }: { $words } No se ha encargado nada de este álbum.
not-a-picture = Este archivo no es una imagen que yo pueda leer. Envíame un archivo JPEG, PNG o WebP, o una foto.
other-format = Este archivo es { $format } y no puedo leerlo. Envíalo como foto o en JPEG, PNG o WebP.
broken-picture = Este archivo de imagen está dañado o incompleto. Envíalo otra vez como foto y no como archivo, o ábrelo y guárdalo antes como JPEG o PNG.
too-many-pixels = Esta imagen tiene demasiados píxeles para mí. Envíame una más pequeña o mándala como foto.
too-narrow = Esta imagen es demasiado estrecha: su lado largo puede medir como máximo { $most } veces el corto. Envíame solo una parte, por favor.
too-much-work = Este archivo de imagen está hecho de tal forma que tardaría demasiado en abrirlo. Guárdalo de nuevo en JPEG o PNG, o mándalo como foto.
animated = Esta imagen se mueve y yo solo puedo editar imágenes fijas. Envíame una sola imagen, por favor.
file-too-large = Este archivo es demasiado grande: Telegram me deja descargar 20 MB como máximo. Envíame uno más pequeño o mándalo como foto.
not-fetched = No pude descargar tu imagen de Telegram. Envíala otra vez, por favor.
not-taken = Kie.ai lleva dos días sin aceptar este encargo ({ $words }), así que dejo de intentarlo. Envía la imagen otra vez, por favor.
model-refuses =
    El modelo de imágenes no quiere hacer esto: { $words }

    Prueba a pedir otra cosa o con otra imagen, por favor.
refused-order =
    Kie.ai no aceptó esto: { $words }

    Prueba a pedir otra cosa o con otra imagen, por favor.
broke = El modelo de imágenes no pudo terminar esta imagen ({ $words }). Envíala otra vez, por favor, quizá un poco más tarde.
no-result = Kie.ai dice que tu imagen está lista, pero no la encuentro en su respuesta. He guardado esa respuesta para quien administra este bot, que puede buscarla; no hace falta que la encargues otra vez.
never-finished = Kie.ai no terminó esta imagen en un día, así que dejo de esperarla. Envíala otra vez, por favor.
never-learned = Kie.ai lleva dos semanas sin decirme qué pasó con tu imagen, así que dejo de preguntar. Envíala otra vez, por favor.
result-lost = Tu imagen está hecha, pero todavía no pude descargarla de Kie.ai. No hace falta que la encargues otra vez: pulsa el botón y sigo intentándolo. Kie.ai la guarda hasta { $results } días.
result-not-sent = Tu imagen está hecha, pero todavía no pude enviártela. No hace falta que la encargues otra vez: pulsa el botón y lo intento de nuevo. Kie.ai la guarda hasta { $results } días.
result-gone = Esta imagen se creó, pero ya no está disponible: Kie.ai solo guarda las imágenes durante un tiempo.
undeliverable = Tu imagen está hecha, pero no pude enviártela ({ $words }). No hace falta que la encargues otra vez: pulsa el botón y lo intento de nuevo.
may-not-send = Tu imagen está hecha, pero en este grupo no se me permite enviarla. Cuando un administrador lo permita, pulsa el botón y la envío; no hace falta que la encargues otra vez.
trouble = Algo salió mal con tu mensaje y no pude usarlo. Envíalo una vez más, por favor.
no-reason = sin motivo indicado
broken-step = Algo falló por mi parte y tu imagen no se encargó. Envíala otra vez, por favor.

## Menus of commands (at most 256 characters each)

command-edit = editar una imagen: en su descripción o respondiendo a ella
command-status = cómo van tus ediciones
command-cancel = anular lo que aún no se ha encargado
command-usage = cuántas ediciones quedan hoy
command-stats = cómo va todo, en una imagen
command-settings = formato, proporción, foto o archivo, idioma
command-help = qué sé hacer y cómo
command-privacy = quién recibe tu imagen
command-delete = lo que tengo guardado sobre ti, y borrarlo

## For the admins

admin-poison = No se pudo interpretar una actualización de Telegram y se apartó (actualización { $update }, { $fault }). El bot sigue funcionando; los detalles están en el registro.
admin-low = En Kie.ai solo quedan { $credits } créditos, menos de { $low } (LOW_CREDITS). Recarga en https://kie.ai, por favor, antes de que se acaben.
admin-halt-credits = Ya no queda saldo en Kie.ai. Recárgalo en https://kie.ai; después, las imágenes en espera seguirán su curso.
admin-halt-key = Kie.ai no acepta la clave de API. Revisa KIE_API_KEY (y la lista de IP de la clave) y luego reiníciame.
admin-halt-cap = Se alcanzó el límite de uso de la clave de Kie.ai. Auméntalo en https://kie.ai/api-key o espera a que se renueve.
admin-outage = Kie.ai no acepta encargos en este momento ({ $words }). Lo vuelvo a intentar por mi cuenta, un encargo cada vez.
admin-resumed = Kie.ai vuelve a aceptar encargos.
admin-garbled = Kie.ai respondió de una forma que no figura en su documentación: { $words }
admin-no-result = Kie.ai informó de una tarea terminada en la que no encuentro la imagen: tarea { $task }, trabajo { $job }. Su respuesta está guardada: python -m bot jobs { $job }
admin-mixed-up = Kie.ai respondió al pedido del trabajo { $job } con la tarea de otro pedido. Nadie recibió la imagen de otra persona; a quien no se le encuentra la suya se le pregunta qué hacer. El registro nombra cada trabajo.
admin-absurd = Kie.ai dio cifras imposibles ({ $figures }, tarea { $task }, trabajo { $job }). Cuentan como desconocidas; una edición de precio desconocido cuenta como la habitual. Compáralo con https://kie.ai/logs.
admin-rejected = Un mensaje mío no se puede enviar, ni ahora ni más tarde: { $words }
admin-expired = Un mensaje no se pudo entregar en tres días y se descartó: { $key }
admin-broken = Un paso del trabajo { $job } falla una y otra vez ({ $fault }); los detalles están en el registro.
admin-mistake = Algo falló dentro de mí ({ $what }: { $fault }). Lo dejé aparte y todo lo demás sigue; los detalles están en el registro.
admin-moved = El grupo { $old } de ALLOWED_IDS se convirtió en supergrupo y ahora tiene el id { $new }. Sigue teniendo acceso; pon el id nuevo en la lista, por favor.
