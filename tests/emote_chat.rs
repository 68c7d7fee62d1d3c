//! Emotes and emoji in the forms in which platforms write them into the text.

use tidemill_apps::apps::live_insight::analysis::{ChatWindow, OfflineAnalyst, StreamTrend, message_mood};
use tidemill_schemas::{ChatMessage, Insight};

fn insight(texts: &[&str]) -> Insight {
    let chat = |(at, text): (i64, &&str)| ChatMessage {
        stream_id: "s".into(),
        user_id: format!("viewer-{at}"),
        user_name: None,
        text: (*text).into(),
        timestamp: at * 100,
        ..ChatMessage::default()
    };
    let chats = (0..).zip(texts).map(chat).collect();
    let (stream_id, segments, trend) = ("s".into(), Vec::new(), StreamTrend::default());
    OfflineAnalyst::insight(&ChatWindow {
        stream_id,
        start_ms: 0,
        end_ms: 60_000,
        chats,
        segments,
        trend,
        told: vec![],
    })
}

#[track_caller]
fn signs(texts: &[&str], sign: f64) {
    for text in texts {
        assert!(message_mood(text).valence * sign > 0.2, "{text}: {}", message_mood(text).valence);
    }
}

#[test]
fn a_shortcode_means_its_emoji() {
    for (code, emoji) in [
        (":red_heart:", "❤"),
        (":face_with_tears_of_joy:", "😂"),
        (":joy:", "😂"),
        (":rolling_on_the_floor_laughing:", "🤣"),
        (":fire::fire::fire:", "🔥🔥🔥"),
        (":thumbs_down:", "👎"),
        (":thumbs_up_medium_dark_skin_tone:", "👍"),
        (":+1:", "👍"),
        (":100:", "💯"),
        (":clown_face:", "🤡"),
        (":sleeping_face:", "😴"),
        (":enraged_face:", "😡"),
        ("what a run:red_heart:", "what a run ❤"),
    ] {
        let (code, emoji) = (message_mood(code), message_mood(emoji));
        assert!(code.expressive && (code.valence - emoji.valence).abs() < 1e-9, "{code:?} {emoji:?}");
    }
}

#[test]
fn a_custom_emote_is_read_by_its_words_or_not_at_all() {
    signs(
        &[":_starHype:", ":_adaLOVE:", ":adaKEKW:", "adaHype", ":_gg:", ":hand-pink-waving-love:", "<:pepeLove:12345>"],
        1.0,
    );
    signs(&[":_sadCat:", ":_adaRage_Hate:", ":face-purple-crying:", ":_adaNotLikeThis:", "adaSad"], -1.0);
    for text in [":_custom:", ":_noHype:", ":pizza:", ":yt:", "12:30:45", "score 2:1", "a:b:c", "aspect 16:9:zoom"] {
        assert!(!message_mood(text).expressive, "{text}");
    }
}

#[test]
fn emotes_by_name_have_moods_with_and_without_punctuation() {
    let glad = ["KEKW", "LUL", "PogChamp", "Pog", "LULW", "OMEGALUL", "catJAM", "PauseChamp", "pogchamp", "kekw"];
    signs(&glad, 1.0);
    signs(&["PogChamp!", "KEKW,", "catJAM.", "FeelsGoodMan"], 1.0);
    let unhappy = ["Sadge", "PepeHands", "FeelsBadMan", "BibleThump", "ResidentSleeper", "NotLikeThis", "copium"];
    signs(&unhappy, -1.0);
    assert!(message_mood("monkaS").valence < 0.0 && message_mood("great play :kappa:").valence < 0.0);
    assert!(!message_mood("what a clap").expressive, "only the emote is named with a capital letter");
}

#[test]
fn emotes_are_no_topics_and_show_no_language() {
    let lines = [
        "die Brücke :_customDance:",
        ":_customDance: die Brücke",
        "die Brücke :face_with_tears_of_joy: adaHype",
        "PogChamp! die Brücke :_customDance::_customDance:",
        "residentsleeper die Brücke adaHype",
    ];
    let insight = insight(&lines);
    let topics: Vec<_> = insight.hot_topics.iter().map(|topic| topic.term.as_str()).collect();
    assert_eq!(topics, ["brücke"]);
    assert_eq!(insight.languages.len(), 1, "{:?}", insight.languages);
    assert_eq!(self::insight(&[":the_and_is:", ":_der_die_das:"]).languages, []);
}
