//! Lines of the recorded chat and speech, grouped by situation.

/// Small talk while nothing special happens.
pub(super) const CALM: &[&str] = &[
    "hi everyone",
    "hey from Toronto",
    "good evening",
    "just got here, what did I miss",
    "nice setup",
    "how long is the stream today?",
    "love the music",
    "which keyboard is that?",
    "cozy stream",
    "first time here, this is fun",
    "what game is next?",
    "the overlay looks clean",
    "👋",
    "😊",
    "good vibes only",
    "back from dinner",
    "is this the randomizer?",
    "I finished my homework for this",
    "lol same",
    "that jump was smooth",
    "he always goes left here",
    "hello from Brazil",
    "nice route",
    "thanks for the stream",
    "🙂 hey hey",
    "hola a todos",
    "saludos desde México",
    "qué juego es este?",
    "me gusta la música",
    "buenas noches",
    "gracias por el stream",
    "qué buena vibra hay aquí",
    "hallo zusammen",
    "moin aus Hamburg",
    "schöne Musik heute",
    "was spielst du danach?",
    "läuft gut heute",
    "der Sprung war sauber",
    "freue mich auf den Stream",
    "こんにちは",
    "ナイスジャンプ",
    "ol\u{e1} pessoal",
    "valeu pela live",
    "salut tout le monde",
];

/// Laughter after a joke.
pub(super) const LAUGH: &[&str] = &[
    "LMAO",
    "lol",
    "😂😂😂",
    "I'm dead 💀",
    "hahahaha",
    "KEKW",
    "LUL",
    "that was hilarious 😂",
    "🤣🤣",
    "not the chicken 😂",
    "the chicken hahaha",
    "jajajaja",
    "jajaja qué gracioso",
    "hahaha ich lache so sehr",
    "OMEGALUL",
    "looool",
    "clip it 😂",
    "funniest thing today",
    "草",
    "kkkkk",
    "the timing 💀💀",
];

/// Excitement after a win.
pub(super) const HYPE: &[&str] = &[
    "LETS GO",
    "LET'S GOOO",
    "POG",
    "PogChamp PogChamp",
    "🔥🔥🔥",
    "NO WAY",
    "insane!!!",
    "first try 🔥",
    "GG",
    "ggs",
    "what a clutch",
    "THE GOAT 🐐",
    "sooo goood",
    "vamos!!!",
    "qué crack, increíble",
    "VAMOOOS 🔥",
    "Wahnsinn!!",
    "unglaublich gut",
    "krass 🔥",
    "world record pace!!",
    "WORLD RECORD PogChamp",
    "🎉🎉🎉",
    "W",
    "he did it!!!",
    "すごい！！",
    "神プレイ",
    "brabo demais 🔥",
    "legendary run",
    "I was here for the world record",
];

/// Chat about the planted topic.
pub(super) const WATER_TEMPLE: &[&str] = &[
    "water temple time",
    "do the water temple skip",
    "I love the water temple",
    "the water temple took me three weeks",
    "water temple speedrun strats?",
    "is the water temple really that long?",
    "nobody likes the water temple lol",
    "water temple music is great",
    "el water temple es lo mejor",
    "por fin el water temple",
    "der water temple dauert ewig",
    "endlich water temple",
    "boots on, boots off, water temple",
    "which key in the water temple first?",
    "my cousin got lost in the water temple",
    "water temple hype",
    "remember the small key in the water temple",
];

/// Complaints while the stream stutters.
pub(super) const LAG: &[&str] = &[
    "lag",
    "the stream is lagging so bad",
    "LAG",
    "it keeps freezing",
    "anyone else has lag?",
    "stuttering every second 😩",
    "unwatchable lag right now",
    "video is frozen",
    "is it just me or lag?",
    "fix the lag please",
    "audio is choppy",
    "terrible lag 😡",
    "buffering again",
    "NotLikeThis lag",
    "se traba mucho, qué lag",
    "se congela todo",
    "no se oye nada",
    "es ruckelt total",
    "lag ohne Ende, nervt",
    "bild ist eingefroren",
    "so annoying, this lag",
    "重い、ラグい",
    "cant see anything",
    "ugh the lag is back",
];

/// Boredom when nothing happens for a long time.
pub(super) const FADING: &[&str] = &[
    "so what now",
    "still in the menu?",
    "brb",
    "hmm",
    "what is he doing",
    "can you answer some questions?",
    "how did you start streaming?",
    "what's your favourite game?",
    "ok",
    "when is the next race?",
    "qué haces ahora?",
    "was machst du jetzt?",
];

/// Hostile lines, which the same few accounts write all the time.
pub(super) const TROLL: &[&str] = &[
    "worst streamer ever",
    "you are trash, quit streaming",
    "this is garbage",
    "pathetic loser",
    "boring clown 🤡",
    "uninstall, you suck",
    "everyone here is stupid",
    "garbage stream 👎👎",
    "nobody likes you, idiot",
];

/// The streamer's speech while playing.
pub(super) const SPEECH: &[&str] = &[
    "Alright, we are back in the main hall.",
    "Let me grab the key on the left first.",
    "I changed the route a little since last week.",
    "Hello to everyone who just joined.",
    "This room is always a bit tricky.",
    "We need to save two seconds somewhere.",
    "I slept well, so today might be the day.",
    "The door opens when both torches are lit.",
    "Watch the corner of the screen here.",
    "Okay, next split, we are slightly ahead.",
    "I will take this slowly.",
    "Thanks for the follow, welcome in.",
    "If you are new here, we run this game every Thursday.",
    "There is a safer way, but it costs five seconds.",
];

/// The streamer's speech in the water temple.
pub(super) const TEMPLE_SPEECH: &[&str] = &[
    "And here we are, the water temple.",
    "The water temple is long, but the new skip saves a minute.",
    "Boots on, we sink to the bottom floor.",
    "Everybody got lost here once, admit it.",
    "We raise the water level and go for the small key.",
];

/// The streamer's speech while the connection fails.
pub(super) const LAG_SPEECH: &[&str] = &[
    "Now we line up for the next jump.",
    "And then straight through the second door.",
    "Let us look at the splits again.",
];

/// First halves of account names.
pub(super) const NAMES: &[&str] = &[
    "pixel", "luna", "nova", "rio", "mango", "turbo", "frost", "ember", "kiwi", "echo", "salty", "velvet", "orbit",
    "quartz", "bamboo", "cosmo", "drift", "maple",
];

/// Second halves of account names.
pub(super) const SURNAMES: &[&str] =
    &["fox", "cat", "92", "gamer", "bear", "owl", "wave", "dev", "moon", "chan", "loco", "berg"];
