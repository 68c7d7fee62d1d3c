//! The grade and the sentence of feedback. Both take the athlete's profile into account.

use tidemill_schemas::{Exercise, Fault, FaultKind, Level, Repetition, Side, Symmetry, Tempo, UserProfile};

use super::faults::{Direction, Found};
use crate::apps::shown::in_sentence;

/// The points that a fault of full severity costs.
fn cost(kind: FaultKind) -> f32 {
    match kind {
        FaultKind::HalfRepetition => 5.0,
        FaultKind::Swinging | FaultKind::BentBody | FaultKind::KneesCaving => 4.0,
        FaultKind::OneSided | FaultKind::LeaningForward => 3.5,
        FaultKind::IncompleteExtension => 3.0,
        FaultKind::Dropping => 1.5,
    }
}

/// The parts of the body that a fault loads.
fn loads(kind: FaultKind, exercise: Exercise) -> &'static [&'static str] {
    match (kind, exercise) {
        (FaultKind::Swinging, _) => &["shoulder", "elbow", "back"],
        (FaultKind::Dropping | FaultKind::OneSided, Exercise::Squat) => &["knee", "hip", "ankle", "back"],
        (FaultKind::Dropping | FaultKind::OneSided, _) => &["shoulder", "elbow", "wrist"],
        (FaultKind::BentBody | FaultKind::LeaningForward, _) => &["back", "hip"],
        (FaultKind::KneesCaving, _) => &["knee", "hip"],
        (FaultKind::HalfRepetition | FaultKind::IncompleteExtension, _) => &[],
    }
}

/// The joints that a full range needs. An injury of such a joint excuses an incomplete range.
fn range_needs(exercise: Exercise) -> &'static [&'static str] {
    match exercise {
        Exercise::Squat => &["knee", "hip", "ankle", "back"],
        _ => &["shoulder", "elbow", "wrist"],
    }
}

/// The athlete's injury of one of the given parts of the body, in the athlete's words.
fn injury<'a>(profile: Option<&'a UserProfile>, places: &[&str]) -> Option<&'a str> {
    let injuries = &profile?.injuries;
    let hit = injuries.iter().find(|injury| places.iter().any(|place| injury.to_lowercase().contains(place)))?;
    Some(hit.trim())
}

fn excused(fault: &Fault, exercise: Exercise, profile: Option<&UserProfile>) -> bool {
    matches!(fault.kind, FaultKind::HalfRepetition | FaultKind::IncompleteExtension)
        && injury(profile, range_needs(exercise)).is_some()
}

/// The grade of the form, from 0 to 10. Faults cost more for experienced athletes and if they load an injury. An
/// incomplete range costs little if an injury excuses it.
pub(super) fn grade(
    faults: &[Found],
    symmetry: Option<Symmetry>,
    exercise: Exercise,
    profile: Option<&UserProfile>,
) -> f32 {
    let strictness = match profile.map(|profile| profile.level).unwrap_or_default() {
        Level::Beginner => 0.8,
        Level::Intermediate => 1.0,
        Level::Advanced => 1.2,
    };
    let mut grade = 10.0 - symmetry.map_or(0.0, |symmetry| (2.0 * (1.0 - symmetry.score)).min(0.5));
    for Found { fault, .. } in faults {
        let care = match injury(profile, loads(fault.kind, exercise)) {
            Some(_) => 1.3,
            None if excused(fault, exercise, profile) => 0.3,
            None => 1.0,
        };
        grade -= cost(fault.kind) * (0.4 + 0.6 * fault.severity) * strictness * care;
    }
    super::progress::round1(grade.clamp(0.0, 10.0))
}

/// One sentence about the most important fault, or praise if there is no fault.
pub(super) fn sentence(
    faults: &[Found],
    exercise: Exercise,
    repetitions: &[Repetition],
    tempo: Option<Tempo>,
    profile: Option<&UserProfile>,
) -> String {
    let weight = |fault: &Fault| {
        let care = if injury(profile, loads(fault.kind, exercise)).is_some() { 2.0 } else { 1.0 };
        let excuse = if excused(fault, exercise, profile) { 0.2 } else { 1.0 };
        cost(fault.kind) * (0.4 + 0.6 * fault.severity) * care * excuse
    };
    let Some(worst) = faults.iter().max_by(|a, b| weight(&a.fault).total_cmp(&weight(&b.fault))) else {
        return praise(exercise, repetitions, tempo);
    };
    let fault = &worst.fault;
    if let Some(injury) = injury(profile, range_needs(exercise)).filter(|_| excused(fault, exercise, profile)) {
        let injury = in_sentence(injury).unwrap_or_default();
        return format!("Stay in the range without pain for your {injury}: {}, and that is fine.", fault.detail);
    }
    let advice = advice(worst, exercise);
    match injury(profile, loads(fault.kind, exercise)) {
        Some(injury) => {
            let injury = in_sentence(injury).unwrap_or_default();
            format!("{advice}: {}, which loads your {injury}.", fault.detail)
        }
        None => format!("{advice}: {}.", fault.detail),
    }
}

fn advice(found: &Found, exercise: Exercise) -> &'static str {
    let leans_left = found.side == Some(Side::Left);
    match (found.fault.kind, exercise) {
        (FaultKind::HalfRepetition, Exercise::PullUp) => "Pull until your chin is over the bar",
        (FaultKind::HalfRepetition, Exercise::Squat) => "Sit deeper, until your hips are at knee height",
        (FaultKind::HalfRepetition, _) => "Lower your chest until your elbows are at a right angle",
        (FaultKind::IncompleteExtension, Exercise::PullUp) => "Hang with straight arms before you pull again",
        (FaultKind::IncompleteExtension, Exercise::Squat) => "Stand up fully before you sit again",
        (FaultKind::IncompleteExtension, _) => "Straighten your arms before you lower again",
        (FaultKind::Swinging, _) => "Brace your core, squeeze your legs together and pull without swing",
        (FaultKind::OneSided, Exercise::Squat) if leans_left => "Put more weight on your right leg",
        (FaultKind::OneSided, Exercise::Squat) => "Put more weight on your left leg",
        (FaultKind::OneSided, Exercise::PullUp) if leans_left => "Pull as hard with your right arm",
        (FaultKind::OneSided, Exercise::PullUp) => "Pull as hard with your left arm",
        (FaultKind::OneSided, _) if leans_left => "Push as hard with your right arm",
        (FaultKind::OneSided, _) => "Push as hard with your left arm",
        (FaultKind::BentBody, _) if found.direction == Some(Direction::Above) => {
            "Lower your hips into one line with your body"
        }
        (FaultKind::BentBody, _) => "Squeeze your glutes and lift your hips into one line",
        (FaultKind::LeaningForward, _) => "Keep your chest up and your weight on your heels",
        (FaultKind::KneesCaving, _) => "Push your knees out over your toes",
        (FaultKind::Dropping, Exercise::Squat) => "Sit down slowly, for two seconds",
        (FaultKind::Dropping, _) => "Lower yourself slowly, for two seconds",
    }
}

fn praise(exercise: Exercise, repetitions: &[Repetition], tempo: Option<Tempo>) -> String {
    let range = match exercise {
        Exercise::PullUp => "chin over the bar",
        Exercise::PushUp => "chest down",
        Exercise::Squat => "full depth",
        Exercise::Other => "steady",
    };
    match (repetitions.len(), tempo) {
        (0, _) => "Keep going: this repetition counts on the way back.".into(),
        (_, None) => format!("Clean, {range}: keep going."),
        (_, Some(tempo)) => format!("Clean, {range}, {:.1} s on the way: keep that tempo.", tempo.work_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: FaultKind, side: Option<Side>, direction: Option<Direction>) -> Found {
        let detail = "left of the words above says nothing".to_owned();
        Found { fault: Fault { kind, severity: 0.5, detail }, side, direction }
    }

    #[test]
    fn advice_goes_by_side_and_direction_not_by_the_words_of_the_detail() {
        let one_sided = |side| advice(&found(FaultKind::OneSided, Some(side), None), Exercise::PullUp);
        assert_eq!(one_sided(Side::Left), "Pull as hard with your right arm");
        assert_eq!(one_sided(Side::Right), "Pull as hard with your left arm");
        let bent = |direction| advice(&found(FaultKind::BentBody, None, Some(direction)), Exercise::PushUp);
        assert_eq!(bent(Direction::Above), "Lower your hips into one line with your body");
        assert_eq!(bent(Direction::Below), "Squeeze your glutes and lift your hips into one line");
    }
}
