//! One event of each type in which everything is there, and one in which everything that may be absent is.

use tidemill_schemas::{
    Alert, AlertKind, Amount, CallOutcome, ChatMessage, Chatters, ClipCandidate, CurrencySum, EarlierExercise,
    EngagementTrend, EvidenceLine, Exercise, Fault, FaultKind, FormFeedback, HotTopic, InputRead, Insight, JointRange,
    LANDMARKS, Landmark, LanguageShare, Level, Membership, MembershipKind, MoodLabel, Obstacle, Part, Phase,
    PhraseReaction, PoseFrame, ProgressPoint, Provenance, Remainder, Repetition, SeriesPoint, Side, SkeletonPoint,
    Spike, Statement, StatementKind, Support, Supporter, Symmetry, Tempo, TopChat, TranscriptSegment, TrendPoint,
    TrendSummary, UserActivity, UserProfile,
};

const AT: i64 = 1_767_225_600_000;

fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn chat(full: bool) -> ChatMessage {
    let user_name = full.then(|| text("Ada ✨"));
    ChatMessage {
        id: full.then(|| text("message-1")),
        stream_id: text("s"),
        user_id: text("u"),
        user_name,
        text: text("hi 👋"),
        amount: full.then(|| Amount { micros: 4_990_000, currency: text("EUR") }),
        membership: full.then_some(Membership { kind: MembershipKind::Milestone, months: Some(12), count: Some(3) }),
        timestamp: AT,
    }
}

pub(crate) fn transcript(full: bool) -> TranscriptSegment {
    let duration_ms = full.then_some(1_250);
    TranscriptSegment { stream_id: text("s"), text: text("welcome back"), timestamp: AT, duration_ms }
}

pub(crate) fn clip() -> ClipCandidate {
    ClipCandidate { stream_id: text("s"), start_ms: AT, end_ms: AT + 30_000, reason: text("a spike"), score: 87 }
}

pub(crate) fn alert(full: bool) -> Alert {
    let kind = AlertKind::SilentMicrophone;
    Alert { stream_id: text("s"), kind, at_ms: AT, severity: 0.75, message: text("nobody speaks"), ahead: full }
}

fn activity() -> UserActivity {
    UserActivity { user_id: text("u"), user_name: text("Ada"), chats: 12, mood: -0.5 }
}

fn support() -> Support {
    let supporter = Supporter { user_id: text("u"), user_name: text("Ada"), micros: 5_000_000 };
    let (currency, supporters) = (text("EUR"), vec![supporter]);
    let sum = CurrencySum { currency, micros: 7_000_000, messages: 2, supporters };
    Support { paid: 2, sums: vec![sum], new_members: 1, gifted_members: 5, milestones: 3 }
}

fn provenance() -> Provenance {
    Provenance {
        outcome: CallOutcome::Fallback,
        reason: text("The first route did not answer."),
        model: text("small-model"),
        prompt: text("live-insight@3 a1b2c3"),
        route: text("smaller"),
        input_tokens: 1_420,
        output_tokens: 88,
        cost_micros: 900,
        currency: text("EUR"),
        attempts: 2,
        latency_ms: 800,
        repeated: true,
        untold: 1,
        inputs: vec![InputRead { topic: text("live-chat"), partition: 3, offset: 1 << 40 }],
    }
}

fn evidence() -> EvidenceLine {
    let topic = Statement { kind: StatementKind::HotTopic, name: text("jump"), at_ms: Some(AT) };
    EvidenceLine {
        id: Some(text("message-1")),
        user_id: text("u"),
        user_name: text("Ada"),
        text: text("what a jump"),
        timestamp: AT,
        behind: vec![topic],
    }
}

fn remainder() -> Remainder {
    let topic = HotTopic { term: text("boss"), chats: 4, users: 3, lift: 1.5, mood: 0.0 };
    let chatters = Chatters { below: Chatters::ALL, hashes: vec![7, u32::MAX] };
    Remainder { chatters, active_users: vec![activity()], others_at_most: 2, hot_topics: vec![topic] }
}

pub(crate) fn insight(full: bool) -> Insight {
    let list = usize::from(full);
    let phrase = PhraseReaction {
        text: text("look at that"),
        start_ms: AT,
        end_ms: AT + 900,
        reactions: 40,
        lift: 2.5,
        mood: 0.25,
        samples: vec![text("wow")],
        users: vec![text("u")],
        carried_over: true,
    };
    let topic = HotTopic { term: text("jump"), chats: 40, users: 30, lift: 3.0, mood: 0.5 };
    let id = full.then(|| text("message-1"));
    let top = TopChat {
        id,
        user_id: text("u"),
        user_name: text("Ada"),
        text: text("wow"),
        timestamp: AT,
        echoes: 3,
        mood: 0.5,
    };
    Insight {
        stream_id: text("s"),
        window_start_ms: AT,
        window_end_ms: AT + 60_000,
        analyst: text("offline"),
        chats: u64::try_from(i64::MAX).unwrap(),
        users: 30,
        segments: 7,
        chats_per_second: 2.0,
        questions: 1,
        silent_microphone: full,
        silent_chat: !full,
        vibe_score: 100,
        mood: MoodLabel::Frustrated,
        hot_topics: vec![topic; list],
        top_chats: vec![top; list],
        active_users: vec![activity(); list],
        outliers: vec![activity(); list],
        phrases: vec![phrase; list],
        languages: vec![LanguageShare { language: text("en"), share: 1.0 }; list],
        series: vec![SeriesPoint { at: AT, chats: 9, mood: -0.25 }; list],
        trend: TrendSummary {
            engagement: EngagementTrend::Dropping,
            usual_chats_per_second: 4.0,
            usual_vibe_score: 60,
            history: vec![TrendPoint { start_ms: AT, chats_per_second: 4.0, users: 9, vibe_score: 60 }; list],
        },
        spikes: vec![Spike { start_ms: AT, end_ms: AT + 1, chats: 9, ratio: 4.0, mood: 1.0 }; list],
        clips: vec![clip(); list],
        alerts: vec![alert(full); list],
        support: full.then(support),
        withdrawn: list as u64,
        instruction: text("start your Q&A"),
        evidence: vec![evidence(); list],
        provenance: full.then(provenance),
        remainder: full.then(remainder),
    }
}

pub(crate) fn pose(full: bool) -> PoseFrame {
    let point = |at| Landmark {
        part: Part::from_index(at).unwrap(),
        x: at as f32 / 33.0,
        y: 0.5,
        z: -0.25,
        visibility: full.then_some(0.875),
    };
    PoseFrame {
        user_id: text("u"),
        timestamp: AT,
        exercise: text("pull_up"),
        aspect_ratio: full.then_some(1.5),
        mirrored: full,
        landmarks: (0..LANDMARKS.len()).map(point).collect(),
    }
}

pub(crate) fn profile(full: bool) -> UserProfile {
    let injuries = if full { vec![text("left shoulder")] } else { Vec::new() };
    UserProfile { height_cm: full.then_some(178.0), injuries, level: Level::Advanced }
}

pub(crate) fn feedback(full: bool) -> FormFeedback {
    let list = usize::from(full);
    let part = Part::from_index(32).unwrap();
    FormFeedback {
        user_id: text("u"),
        window_start_ms: AT,
        window_end_ms: AT + 3_000,
        analyst: text("offline"),
        exercise: Exercise::Squat,
        exercise_name: text("air squat"),
        obstacle: full.then_some(Obstacle::MixedFrames),
        phase: Phase::OutOfSight,
        grade: full.then_some(7.5),
        sentence: text("deeper"),
        repetitions: vec![Repetition { start_ms: AT, peak_ms: AT + 1, end_ms: AT + 2, range_deg: 90.0, full }; list],
        joints: vec![JointRange { joint: text("left_knee"), min_deg: 80.0, max_deg: 170.0 }; list],
        tempo: full.then_some(Tempo { work_s: 1.5, per_minute: 20.0 }),
        symmetry: full.then_some(Symmetry { score: 0.5, stronger: Some(Side::Right) }),
        faults: vec![Fault { kind: FaultKind::Dropping, severity: 0.5, detail: text("0.4 s") }; list],
        skeleton: vec![SkeletonPoint { part, x: 0.5, y: 0.5, visibility: 1.0 }; list],
        frames: vec![vec![[0.5, 0.25, 1.0]; 33]; list],
        session_repetitions: u32::MAX,
        session_half_repetitions: 2,
        session_grade: full.then_some(7.0),
        session_change: full.then_some(-0.5),
        progress: vec![ProgressPoint { at: AT, grade: 7.5 }; list],
        earlier: vec![
            EarlierExercise {
                exercise: Exercise::PullUp,
                exercise_name: text("pull_up"),
                grade: full.then_some(9.0),
                sentence: text("clean"),
                repetitions: vec![Repetition { start_ms: AT, peak_ms: AT, end_ms: AT, range_deg: 90.0, full }; list],
                session_repetitions: 12,
                session_half_repetitions: 1,
            };
            list
        ],
        provenance: full.then(provenance),
    }
}
