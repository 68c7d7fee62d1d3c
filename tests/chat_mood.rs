//! What single chat messages express, in the ways people write.

use tidemill_apps::apps::live_insight::analysis::message_mood;

fn valence(text: &str) -> f64 {
    message_mood(text).valence
}

#[track_caller]
fn positive(texts: &[&str]) {
    for text in texts {
        assert!(valence(text) > 0.25, "{text}: {}", valence(text));
    }
}

#[track_caller]
fn negative(texts: &[&str]) {
    for text in texts {
        assert!(valence(text) < -0.25, "{text}: {}", valence(text));
    }
}

#[test]
fn praise_is_positive_in_many_languages() {
    positive(&["this is great", "I love this stream", "GG well played", "let's go!", "the goat"]);
    positive(&["qué grande, increíble", "esto es muy bueno", "jajaja gracioso", "vamos!!"]);
    positive(&["das ist echt super", "richtig geil heute", "Wahnsinn, Ehrenmann"]);
    positive(&[
        "c'est génial",
        "trop fort",
        "muito bom cara, parabéns",
        "すごい！",
        "最高です",
        "बहुत बढ़िया",
        "bhai mast hai ye",
    ]);
}

#[test]
fn complaints_are_negative_in_many_languages() {
    negative(&["this is boring", "the stream is lagging", "worst gameplay ever", "that sucks"]);
    negative(&["qué aburrido", "esto está mal", "se traba mucho", "eres una basura"]);
    negative(&["das ist so langweilig", "kein Ton", "das ruckelt total", "was für ein Müll"]);
    negative(&["c'est nul", "que lixo, travando muito", "つまらない", "यह बेकार है", "bakwas stream"]);
}

#[test]
fn emoji_and_emotes_speak() {
    positive(&[
        "😂😂😂",
        "🔥",
        "💀💀",
        "PogChamp",
        "LUL",
        "KEKW",
        "<3",
        ":)",
        "lol",
        "gg",
        "hahahahaha",
        "jajajajaja",
        "kkkkk",
        "www",
    ]);
    negative(&["😡", "👎👎", "ResidentSleeper", "NotLikeThis", "BibleThump", ":("]);
    assert!(valence("😂😂😂") > valence("😂"));
    assert!(valence("😂😂😂😂😂😂😂😂😂😂😂") < 0.95, "a wall of emoji is not infinitely funny");
}

#[test]
fn stretching_shouting_and_stressing_strengthen() {
    assert!(valence("goood") > valence("good"));
    assert!(valence("sooo goood") > valence("good"));
    assert!(valence("GOOD") > valence("good"));
    assert!(valence("so good") > valence("good"));
    assert!(valence("BOOORING") < valence("boring"));
}

#[test]
fn negation_turns_a_word_and_ends_at_a_pause() {
    negative(&["not good", "this is not funny", "das ist nicht gut", "no es bueno"]);
    positive(&["not bad at all", "no, this is great", "nicht schlecht", "no way!!!"]);
    assert!(valence("not bad") < valence("good"));
}

#[test]
fn a_sarcasm_mark_turns_praise() {
    assert!(valence("great play Kappa") < 0.0);
    assert!(valence("great play") > 0.0);
}

#[test]
fn words_of_several_languages_count_only_in_their_own() {
    // A German "mal" is a particle, a Spanish one is bad; English mist is weather, a German one is rubbish.
    assert!(!message_mood("schau mal hier").expressive);
    assert!(message_mood("esto está mal").expressive);
    assert!(!message_mood("the mist is rising").expressive);
    assert!(message_mood("so ein Mist, das war der letzte").expressive);
}

#[test]
fn facts_mentions_links_and_commands_express_nothing() {
    for text in
        ["which keyboard is that?", "@lovely_user", "!win", "https://great.example/best", "12345", "...", "der Sprung"]
    {
        assert!(!message_mood(text).expressive, "{text}");
    }
    assert!(!message_mood("").expressive && valence("").abs() < f64::EPSILON);
}

#[test]
fn every_text_has_a_mood_within_bounds() {
    for text in
        ["é".repeat(4096), "a".repeat(4096), "😡".repeat(1000), "\u{200d}\u{fe0f}''__".into(), "aaabbbcccdddeee".into()]
    {
        assert!((-1.0..=1.0).contains(&valence(&text)));
    }
}
