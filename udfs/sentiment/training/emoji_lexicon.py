"""Emoji of plain meaning, as lessons for a model whose tweets hold none.

The SemEval tweets were stripped of emoji, and the vocabulary maps every emoji to [UNK].
Emoji are therefore words (`udfs.normalise`), and these teach the model that such words
carry weight. The classes are our own reading of the CLDR names and of everyday use;
emoji that people use both ways (laughing or weeping until tears) are left out. A quarter,
`HELD_OUT`, is never trained on and measures whether the lesson carries over.
"""

from __future__ import annotations

from udfs.sentiment.training.data import NEGATIVE, NEUTRAL, POSITIVE, Example

HELD_OUT: dict[int, str] = {
    POSITIVE: "❤️ 😍 🎉 💖 😃 🙌 😘 ✨ 🏆 🤗",
    NEGATIVE: "😡 💔 👎 😢 🤢 😤 😖 🙁 💩",
    NEUTRAL: "📅 📱 🚗 🎬 🔗 🗓️ 📌 🏢",
}
TRAINED: dict[int, str] = {
    POSITIVE: (
        "👍 😊 😀 😁 😄 🥰 😎 🤩 😇 ☺️ 🙂 😻 😋 🥳 💕 💗 💓 💞 💘 💜 💙 💚 💛 🧡 ♥️ 😽 👏 "
        "💪 🌟 ⭐ 🔥 🎊 🥇 💯 👌 🤝 🌈 🌞 💐 🌹 🎁 🍾 🥂 ✅ 🤞 😌 😸"
    ),
    NEGATIVE: (
        "😠 🤬 😞 😔 😟 😣 😩 😫 😒 😕 ☹️ 😿 😾 😨 😰 😱 🤮 🤧 😷 🤒 👿 🖕 🙄 😑 😓 😥 😦 😧 "
        "🤦 🤡 ❌ 🚫 ⚠️ 🥱 😪 😭 💀 🗑️"
    ),
    NEUTRAL: (
        "📷 📸 🎥 📺 📰 📍 ⏰ 🕐 📦 🏠 🚌 ✈️ 🚆 💻 📞 📧 ✏️ 📝 📊 🔔 🔴 🔵 ⚪ ➡️ ⬇️ 👉 👇 🏀 ⚽ "
        "🎵 🎧 📚 🗳️ 🏛️ ☁️ 🌍 👀 🤔 🐦 🌳 🍞 👕 🪑 🔑 🇺🇸 🇬🇧"
    ),
}


def held_out_examples() -> list[Example]:
    """Posts of one to three held-out emoji and nothing else."""
    from udfs.normalise import normalise

    examples = []
    for label, emoji in HELD_OUT.items():
        pieces = emoji.split()
        for index, piece in enumerate(pieces):
            following = pieces[(index + 1) % len(pieces)]
            for text in (piece, piece * 3, f"{piece} {following}"):
                examples.append(Example(normalise(text), label, "emoji_held_out"))
    return examples
