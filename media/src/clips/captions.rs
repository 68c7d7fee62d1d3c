//! Captions as FFmpeg burns them in: a script of Advanced Substation Alpha (ASS).

use std::fmt::Write;

use crate::clips::{Caption, Shape};

/// A piece of a caption that fits on the picture; times within the clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) text: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

/// How many letters are shown at once: two lines.
fn letters(shape: Shape) -> usize {
    match shape {
        Shape::Landscape => 76,
        Shape::Portrait => 40,
    }
}

/// The captions as cues of a clip of `length_ms`. `place` turns a time of the stream into one of the clip.
pub(super) fn cues(captions: &[Caption], shape: Shape, length_ms: i64, place: impl Fn(i64) -> i64) -> Vec<Cue> {
    let mut cues: Vec<Cue> = Vec::new();
    for caption in captions.iter().filter(|caption| caption.end_ms > caption.start_ms) {
        let pieces = pieces(&caption.text, letters(shape));
        let all: usize = pieces.iter().map(|piece| piece.chars().count()).sum::<usize>().max(1);
        let length = caption.end_ms - caption.start_ms;
        let mut before = 0;
        for text in pieces {
            let at = |letters: usize| caption.start_ms + length * letters as i64 / all as i64;
            let start = at(before);
            before += text.chars().count();
            let (start_ms, end_ms) = (place(start).clamp(0, length_ms), place(at(before)).clamp(0, length_ms));
            if end_ms > start_ms {
                cues.push(Cue { text, start_ms, end_ms });
            }
        }
    }
    cues.sort_by_key(|cue| cue.start_ms);
    // Two at once would hide each other.
    for index in 1..cues.len() {
        let next = cues[index].start_ms;
        let cue = &mut cues[index - 1];
        cue.end_ms = cue.end_ms.min(next);
    }
    cues.retain(|cue| cue.end_ms > cue.start_ms);
    cues
}

/// A text in pieces of at most `most` letters, cut between words where it has some.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if count > 0 && count + 1 + length > most {
            pieces.push(std::mem::take(&mut piece));
            count = 0;
        }
        if count > 0 {
            piece.push(' ');
            count += 1;
        }
        // Some languages have no spaces.
        for letter in word.chars().filter(|letter| !letter.is_control()) {
            if count == most {
                pieces.push(std::mem::take(&mut piece));
                count = 0;
            }
            piece.push(letter);
            count += 1;
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// The script.
pub(super) fn script(cues: &[Cue], shape: Shape, (width, height): (u32, u32)) -> String {
    let (size, bottom) = match shape {
        Shape::Landscape => (height / 15, height / 14),
        // Phones cover the bottom with their own controls.
        Shape::Portrait => (width / 13, height / 5),
    };
    let mut text = format!(
        "[Script Info]\nScriptType: v4.00+\nPlayResX: {width}\nPlayResY: {height}\nWrapStyle: 0\nScaledBorderAndShadow: yes\n\n\
         [V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, BorderStyle, Outline, \
         Shadow, Alignment, MarginL, MarginR, MarginV\n\
         Style: Default,sans-serif,{size},&H00FFFFFF,&H00000000,&H80000000,1,1,{},1,2,{side},{side},{bottom}\n\n\
         [Events]\nFormat: Layer, Start, End, Style, Text\n",
        (size / 12).max(1),
        side = width / 20,
    );
    for cue in cues {
        let _ = writeln!(text, "Dialogue: 0,{},{},Default,{}", time(cue.start_ms), time(cue.end_ms), plain(&cue.text));
    }
    text
}

/// Braces and backslashes are commands of the script.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '{' => '(',
            '}' => ')',
            '\\' => '/',
            letter => letter,
        })
        .collect()
}

fn time(ms: i64) -> String {
    format!("{}:{:02}:{:02}.{:02}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms / 10 % 100)
}

#[cfg(test)]
mod tests {
    use super::{Cue, cues, pieces, script};
    use crate::clips::{Caption, Shape};

    fn caption(text: &str, start_ms: i64, end_ms: i64) -> Caption {
        Caption { text: text.into(), start_ms, end_ms }
    }

    #[test]
    fn long_captions_become_pieces_whose_times_follow_their_lengths() {
        assert_eq!(pieces("one two three", 7), ["one two", "three"]);
        assert_eq!(pieces("何という見事なゴール", 4), ["何という", "見事なゴ", "ール"]);
        let words = "word ".repeat(20);
        let cues = cues(&[caption(&words, 10_000, 20_000)], Shape::Landscape, 60_000, |ms| ms - 5000);
        assert_eq!(cues.len(), 2);
        assert_eq!((cues[0].start_ms, cues[1].end_ms), (5000, 15_000));
        assert!(cues[0].end_ms == cues[1].start_ms && cues[0].end_ms > 10_000);
    }

    #[test]
    fn captions_outside_are_left_out_and_two_never_stand_at_once() {
        let captions =
            [caption("early", 0, 900), caption("a", 1500, 4000), caption("b", 3000, 5000), caption("late", 9000, 9900)];
        let cues = cues(&captions, Shape::Portrait, 5000, |ms| ms - 1000);
        let times: Vec<_> = cues.iter().map(|cue| (cue.text.as_str(), cue.start_ms, cue.end_ms)).collect();
        assert_eq!(times, [("a", 500, 2000), ("b", 2000, 4000)]);
    }

    #[test]
    fn text_cannot_command_the_script() {
        let cue = Cue { text: "{\\pos(0,0)}hi\\N".into(), start_ms: 0, end_ms: 1000 };
        let script = script(&[cue], Shape::Landscape, (1280, 720));
        assert!(script.ends_with("Dialogue: 0,0:00:00.00,0:00:01.00,Default,(/pos(0,0))hi/N\n"), "{script}");
    }
}
