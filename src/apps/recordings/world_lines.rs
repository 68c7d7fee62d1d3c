//! Lines of the recorded chat of many languages, grouped by what they express.

/// Glad lines, with emotes as platforms write them.
pub(super) const GLAD: &[&str] = &[
    "стример красавчик",
    "обожаю этот стрим",
    "хахаха смешно",
    "البث اليوم حلو",
    "والله انك اسطورة",
    "ههههههه",
    "איזה סטרים טוב",
    "אתה מלך אחי",
    "חחחחח",
    "와 진짜 재밌다",
    "오늘 방송 최고야",
    "ㅋㅋㅋㅋㅋ",
    "yayın çok güzel abi",
    "efsane oynadın, helal olsun",
    "random attım sjsjsjs",
    "keren banget bang",
    "seru nih gamenya",
    "wkwkwkwk",
    "PogChamp!",
    ":face_with_tears_of_joy::face_with_tears_of_joy:",
    ":red_heart: :_adaHype:",
    "adaHype adaHype",
];

/// Unhappy lines about the same stream.
pub(super) const UNHAPPY: &[&str] = &[
    "опять лагает, не видно ничего",
    "как же скучно",
    "البث يقطع",
    "مش حلو اليوم",
    "אין סאונד",
    "השידור נתקע",
    "렉 걸려요",
    "소리가 안 들려요",
    "yayın donuyor",
    "bu hiç güzel değil",
    "streamnya ngelag bang",
    "gak seru",
    "NotLikeThis",
    ":loudly_crying_face: Sadge",
    ":_adaNotLikeThis:",
];

/// Lines that express nothing.
pub(super) const PLAIN: &[&str] = &[
    "а когда следующий стрим?",
    "متى البث القادم؟",
    "איזה משחק זה?",
    "다음 방송 언제 해요?",
    "bu hangi oyun?",
    "kapan main lagi?",
    "!uptime",
    "!discord",
];

/// What bots write again and again.
pub(super) const BOT: &[&str] = &[
    "Follow the channel for more awesome streams! https://shop.example/?from=chat",
    "Love the stream? Best merch ever is in the shop!!!",
    "Ada has been live for 2 hours. Enjoy!",
];

/// Signs without width or ink, which viewers add so that a platform does not refuse a repetition.
pub(super) const SUFFIXES: &[&str] =
    &["", " \u{e0000}", "\u{200b}", "\u{2060}\u{200d}", "\u{fe0f}", "...", " .", "\u{e0061}\u{e007f}", " \u{2800}"];
