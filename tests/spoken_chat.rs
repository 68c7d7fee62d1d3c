//! Typical lines of chat in the languages beside English, Spanish, German, French, Portuguese, Hindi and Japanese: each
//! has the right sign of mood and the right language.

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

/// Glad lines, unhappy lines, and lines that express neither, all in one language.
struct Lines<'a> {
    language: &'a str,
    glad: &'a [&'a str],
    unhappy: &'a [&'a str],
    plain: &'a [&'a str],
}

impl Lines<'_> {
    fn check(&self) {
        let mut wrong = Vec::new();
        let mut check = |texts: &[&str], sign: f64| {
            for text in texts {
                let mood = message_mood(text);
                let fits = if sign == 0.0 { mood.valence.abs() < 0.25 } else { mood.valence * sign > 0.25 };
                if !fits {
                    wrong.push(format!("{text}: {:.2} instead of {sign:+}", mood.valence));
                }
                let languages = insight(&[text]).languages;
                let language = languages.first().map_or("none", |share| share.language.as_str());
                if language != self.language {
                    wrong.push(format!("{text}: language {language}"));
                }
            }
        };
        check(self.glad, 1.0);
        check(self.unhappy, -1.0);
        check(self.plain, 0.0);
        assert!(self.glad.len() + self.unhappy.len() + self.plain.len() >= 30, "{}: too few lines", self.language);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn russian() {
    Lines {
        language: "ru",
        glad: &[
            "это очень круто",
            "стример красавчик",
            "обожаю этот стрим",
            "какая красивая игра",
            "спасибо за стрим",
            "ахахаха смешно",
            "хахаха",
            "ору с этого момента",
            "ты лучший",
            "отличный забег сегодня",
            "наконец-то победа ура",
            "мне нравится музыка",
            "не плохо сыграл",
            "легендарный момент",
            "ЭТО ПРОСТО ОГОНЬ",
            "всё классно, молодец",
        ],
        unhappy: &[
            "как же скучно",
            "опять лагает",
            "нет звука",
            "ужасная игра",
            "не смешно",
            "это не круто",
            "какой отстой",
            "ненавижу этот уровень",
            "стрим тормозит постоянно",
            "очень плохо играешь",
            "худший стример",
            "грустно, проиграл опять",
            "надоело смотреть",
            "ничего не видно",
        ],
        plain: &["а когда следующий стрим?", "что за игра?", "я только что пришёл", "сколько времени идёт?"],
    }
    .check();
}

#[test]
fn arabic() {
    Lines {
        language: "ar",
        glad: &[
            "البث اليوم حلو",
            "والله انك اسطورة",
            "هههههههه",
            "أحبك يا أخي",
            "لعبك ممتاز",
            "ما شاء الله عليك",
            "مبروك الفوز",
            "شكراً على البث",
            "عجبني هذا المقطع جدا رائع",
            "وحش والله",
            "هذا أفضل بث",
            "اللعبة جميلة جداً",
            "مضحك جدا",
            "كفو عليك",
            "الف مبروك للجميع",
            "مو سيء أبدا",
        ],
        unhappy: &[
            "البث ممل",
            "اللعبة سيئة",
            "مو حلو اليوم",
            "ما عجبني",
            "مش حلو خالص",
            "البث يقطع",
            "مافي صوت",
            "هذا أسوأ بث",
            "لعب فاشل",
            "زعلان عليك",
            "اكره هذي اللعبة",
            "غبي",
            "ليس جيداً",
            "الصوت مقطوع ومزعج",
        ],
        plain: &["متى البث القادم؟", "من وين انت؟", "كيف الحال", "ايش اسم اللعبة؟"],
    }
    .check();
}

#[test]
fn hebrew() {
    Lines {
        language: "he",
        glad: &[
            "איזה סטרים טוב",
            "אתה מלך",
            "חחחחח",
            "אני אוהב את זה",
            "מצחיק ממש",
            "כל הכבוד אחי",
            "תודה על השידור",
            "מטורף לגמרי",
            "המשחק הזה מעולה",
            "וואו מדהים",
            "לא רע בכלל",
            "אין עליך",
            "איזה כיף פה",
            "מזל טוב על הניצחון",
            "המוזיקה יפה",
            "אחלה ערב",
        ],
        unhappy: &[
            "משעמם לי",
            "זה לא טוב",
            "אין סאונד",
            "השידור נתקע",
            "גרוע מאוד",
            "איזה זבל",
            "לא מצחיק",
            "המשחק הזה נוראי",
            "יש לאג",
            "אני שונא את השלב הזה",
            "חבל, הפסדנו",
            "לא שומעים אותך",
            "אתה מטומטם",
            "סטרים משעמם היום",
        ],
        plain: &["מתי הסטרים הבא?", "איזה משחק זה?", "מאיפה אתה?", "מה השעה עכשיו"],
    }
    .check();
}

#[test]
fn korean() {
    Lines {
        language: "ko",
        glad: &[
            "와 대박",
            "진짜 재밌다",
            "ㅋㅋㅋㅋㅋ",
            "너무 귀여워요",
            "오늘 방송 최고야",
            "사랑해요 형",
            "잘한다 진짜",
            "축하해요!!",
            "미쳤다ㅋㅋ",
            "레전드 방송",
            "감사합니다",
            "노래 좋다",
            "개꿀잼이네",
            "나쁘지 않네",
            "웃겨 죽겠네 ㅎㅎ",
            "나이스 플레이",
        ],
        unhappy: &[
            "노잼",
            "방송 재미없어",
            "너무 지루해요",
            "렉 걸려요",
            "화면이 끊겨요",
            "소리가 안 들려요",
            "최악이다",
            "이거 안 좋아",
            "별로 좋지 않아",
            "못하네 진짜",
            "짜증나",
            "쓰레기 게임",
            "슬퍼 ㅠㅠ",
            "심심해 졸려",
        ],
        plain: &["다음 방송 언제 해요?", "이 게임 뭐예요?", "방금 왔어요", "몇 시까지 하나요?"],
    }
    .check();
}

#[test]
fn turkish() {
    Lines {
        language: "tr",
        glad: &[
            "yayın çok güzel",
            "efsane oynadın abi",
            "harikasın",
            "bu oyunu seviyorum",
            "çok komik ya",
            "random attım sjsjsjs",
            "asdfasd koptum",
            "mükemmel bir an",
            "helal olsun kral",
            "cok guzel olmus",
            "teşekkürler reis",
            "bayıldım buna",
            "MUHTEŞEM OYNADIN ABİ",
            "keyifli yayınlar",
            "kötü değil",
            "tebrikler kanka kazandın",
        ],
        unhappy: &[
            "çok sıkıcı",
            "bu hiç güzel değil",
            "yayın donuyor",
            "ses yok",
            "berbat oynadın",
            "rezalet bir yayın",
            "sıkıldım artık",
            "bu oyun çok kötü",
            "iğrenç olmuş",
            "iyi değil bu",
            "yayın kasıyor abi",
            "aptal mısın",
            "cok sikici bu",
            "üzüldüm, kaybettik",
        ],
        plain: &["yarın yayın var mı?", "bu hangi oyun?", "selam herkese", "ne zaman geldin"],
    }
    .check();
}

#[test]
fn indonesian() {
    Lines {
        language: "id",
        glad: &[
            "keren banget bang",
            "mantap jiwa",
            "wkwkwk",
            "lucu banget wkwkwkwk",
            "makasih bang",
            "seru nih gamenya",
            "aku suka lagunya",
            "gokil sih ini",
            "bagus banget mainnya",
            "hebat kamu bang",
            "selamat ya menang",
            "ngakak aku",
            "gak jelek kok",
            "terima kasih streamnya",
            "asik banget malam ini",
            "sayang kamu kak",
        ],
        unhappy: &[
            "bosan banget",
            "gak seru",
            "streamnya ngelag bang",
            "jelek banget",
            "suara hilang kak",
            "ini membosankan",
            "payah mainnya",
            "tidak bagus",
            "sampah game ini",
            "sedih banget kalah lagi",
            "patah-patah bang",
            "bodoh kamu",
            "kurang seru nih",
            "ngantuk aku",
        ],
        plain: &["main apa bang?", "kapan streaming lagi?", "baru datang nih", "dari mana kak?"],
    }
    .check();
}

#[test]
fn questions_are_counted_in_every_script() {
    let asked = ["متى البث القادم؟", "מתי הסטרים?", "что это？", "¿qué juego es", "뭐예요?", "ne zaman?"];
    assert_eq!(insight(&asked).questions, asked.len() as u64);
    assert_eq!(insight(&["https://clips.example/watch?v=1", "!song?", "hello"]).questions, 0);
}

#[test]
fn topics_are_found_in_every_script() {
    let top = |texts: &[&str]| insight(texts).hot_topics.into_iter().map(|topic| topic.term).collect::<Vec<_>>();
    assert!(top(&["템플이 좋아", "템플은 어디", "그 템플을 봐요"]).contains(&"템플".to_owned()));
    assert!(top(&["المعبد صعب", "وين المعبد", "هذا معبد كبير"]).contains(&"معبد".to_owned()));
    assert!(top(&["водный храм сложный", "где водный храм", "люблю водный храм"]).contains(&"водный храм".to_owned()));
    assert!(top(&["איפה המקדש", "המקדש קשה", "זה המקדש"]).contains(&"המקדש".to_owned()));
    assert!(
        top(&["su tapınağı zor", "su tapınağı nerede", "bu tapınağı"]).iter().any(|term| term.contains("tapınağı"))
    );
    assert!(top(&["kuil air susah", "di mana kuil air", "kuil air lagi"]).contains(&"kuil air".to_owned()));
}

#[test]
fn languages_that_share_a_script_are_not_mistaken() {
    let spoken = |text: &str| insight(&[text]).languages.first().map(|share| share.language.clone());
    assert_eq!(spoken("بازی خیلی خوب بود چرا نیست گیم"), None, "Persian");
    assert_eq!(spoken("привіт, як справи"), None, "Ukrainian");
    assert_eq!(spoken("well ¯\\_(ツ)_/¯ you know"), Some("en".into()));
}
