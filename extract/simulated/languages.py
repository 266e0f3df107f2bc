"""Small grammars of other languages: openers, verdicts and closers, written for this project."""

from __future__ import annotations

# language -> polarity -> (openers, verdicts, closers); "{p}" is the product.
OTHER_LANGUAGES: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "es": {
        "positive": (
            ("La verdad,", "Hoy por fin", "Después de un mes,", "En mi tienda", "Sin duda,", ""),
            (
                "{p} funciona de maravilla",
                "estoy encantada con {p}",
                "{p} nos ahorra muchas horas",
                "{p} es rapidísimo",
                "el soporte de {p} es excelente",
                "{p} vale lo que cuesta",
            ),
            ("¡Gracias!", "Lo recomiendo.", "Muy contentos.", "😍", ""),
        ),
        "negative": (
            ("Otra vez,", "Qué pena,", "Después de un mes,", "Lo siento, pero", "En serio,", ""),
            (
                "{p} no funciona",
                "{p} es carísimo y lento",
                "el soporte de {p} no contesta",
                "{p} me cobró dos veces",
                "estoy harto de {p}",
                "{p} se cae cada día",
            ),
            ("Nunca más.", "Qué decepción.", "Quiero mi dinero.", "😡", ""),
        ),
        "neutral": (
            ("Pregunta:", "Hola,", "Buenas,", ""),
            (
                "¿alguien sabe cómo exportar datos en {p}?",
                "mañana hay un taller sobre {p}",
                "¿qué plan de {p} usáis?",
                "empezamos con {p} el lunes",
                "{p} publica una versión nueva",
            ),
            ("", "Gracias de antemano.", "#negocio"),
        ),
    },
    "de": {
        "positive": (
            ("Ehrlich gesagt,", "Nach vier Wochen:", "Kurzes Lob:", "Endlich:", ""),
            (
                "{p} läuft einfach super",
                "wir sind mit {p} sehr zufrieden",
                "{p} spart uns jeden Tag Zeit",
                "der Support von {p} ist spitze",
                "{p} ist sein Geld wert",
                "{p} ist erstaunlich schnell",
            ),
            ("Danke!", "Klare Empfehlung.", "Gerne wieder.", "👍", ""),
        ),
        "negative": (
            ("Schon wieder:", "Nach vier Wochen:", "Sorry, aber", "Leider:", ""),
            (
                "{p} stürzt ständig ab",
                "{p} ist viel zu teuer",
                "der Support von {p} meldet sich nicht",
                "ich bin von {p} enttäuscht",
                "{p} hat doppelt abgebucht",
                "{p} ist quälend langsam",
            ),
            ("Nie wieder.", "Schade.", "So nicht.", "😤", ""),
        ),
        "neutral": (
            ("Frage:", "Moin,", "Kurze Info:", ""),
            (
                "wie exportiert man in {p} die Monatszahlen?",
                "am Montag gibt es ein Webinar zu {p}",
                "welchen Tarif von {p} nutzt ihr?",
                "wir testen {p} ab Mai",
                "{p} hat eine neue Version",
            ),
            ("", "Danke vorab.", "#technik"),
        ),
    },
    "fr": {
        "positive": (
            ("Franchement,", "Après un mois,", "Bonne surprise :", ""),
            (
                "{p} est génial",
                "je suis ravie de {p}",
                "{p} nous fait gagner un temps fou",
                "le support de {p} est au top",
                "{p} marche parfaitement",
            ),
            ("Merci !", "Je recommande.", "Bravo.", "🎉", ""),
        ),
        "negative": (
            ("Encore une fois,", "Après un mois,", "Désolé, mais", ""),
            (
                "{p} est en panne",
                "{p} coûte trop cher",
                "le support de {p} ne répond jamais",
                "je suis très déçu par {p}",
                "{p} a perdu nos données",
            ),
            ("Plus jamais.", "Quelle honte.", "À éviter.", "👎", ""),
        ),
        "neutral": (
            ("Question :", "Bonjour,", ""),
            (
                "comment exporter les données de {p} ?",
                "un atelier sur {p} a lieu mardi",
                "quelle formule de {p} utilisez-vous ?",
                "nous testons {p} cette semaine",
            ),
            ("", "Merci d'avance."),
        ),
    },
    "pt": {
        "positive": (
            ("Olha,", "Depois de um mês,", "Finalmente", ""),
            (
                "{p} é ótimo",
                "estou muito feliz com {p}",
                "{p} economiza nosso tempo",
                "o suporte de {p} é excelente",
                "{p} vale cada centavo",
            ),
            ("Recomendo!", "Obrigado!", "Nota dez.", "🙌", ""),
        ),
        "negative": (
            ("De novo,", "Depois de um mês,", "Desculpa, mas", ""),
            (
                "{p} não funciona",
                "{p} é caro demais",
                "o suporte de {p} não responde",
                "estou decepcionado com {p}",
                "{p} cobrou duas vezes",
            ),
            ("Nunca mais.", "Que vergonha.", "😭", ""),
        ),
        "neutral": (
            ("Pergunta:", "Oi,", ""),
            (
                "como exporto os dados no {p}?",
                "amanhã tem oficina sobre {p}",
                "qual plano de {p} vocês usam?",
                "começamos com {p} na segunda",
            ),
            ("", "Obrigado."),
        ),
    },
    "ja": {
        "positive": (
            ("正直、", "一ヶ月使って、", "やっと、", ""),
            (
                "{p} は最高です",
                "{p} がとても便利",
                "{p} のサポートが素晴らしい",
                "{p} に満足しています",
            ),
            ("！", "。おすすめ。", "✨", ""),
        ),
        "negative": (
            ("また、", "正直、", "一ヶ月使って、", ""),
            ("{p} が動かない", "{p} は高すぎる", "{p} のサポートは最悪", "{p} にはがっかり"),
            ("。", "。もう使わない。", "😡", ""),
        ),
        "neutral": (
            ("質問：", "", "お知らせ："),
            (
                "{p} のデータはどう書き出しますか",
                "{p} の新しい版が出ました",
                "明日 {p} の勉強会があります",
            ),
            ("", "。", "？"),
        ),
    },
    "it": {
        "positive": (
            ("Finalmente", "Dopo un mese", ""),
            ("{p} funziona benissimo", "sono contenta di {p}", "{p} è velocissimo"),
            ("Consigliato!", "Grazie!", ""),
        ),
        "negative": (
            ("Di nuovo,", "Dopo un mese", ""),
            ("{p} non funziona", "{p} costa troppo", "sono deluso da {p}"),
            ("Mai più.", "Peccato.", ""),
        ),
        "neutral": (
            ("Domanda:", ""),
            ("come si esportano i dati in {p}?", "domani c'è un corso su {p}"),
            ("", "Grazie."),
        ),
    },
}
LANGUAGE_WEIGHTS: dict[str, float] = {
    "en": 0.84,
    "es": 0.05,
    "de": 0.035,
    "fr": 0.025,
    "pt": 0.025,
    "ja": 0.015,
    "it": 0.01,
}
