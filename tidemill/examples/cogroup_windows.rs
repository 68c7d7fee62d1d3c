//! Chat and transcript of a stream, minute by minute.
//!
//! `cargo run --release -p tidemill --example cogroup_windows`
//!
//! A join of records would give nothing for a minute in which one side is silent. Common windows are emitted if either
//! side had something: a silent microphone does not hide the chat, nor a silent chat the speech.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use tidemill::{Cogrouped, EmitStrategy, StreamsBuilder, TimeWindows, testing::TopologyTestDriver};

fn main() -> Result<(), Box<dyn Error>> {
    let minutes = TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(5));

    let builder = StreamsBuilder::new();
    // Both topics are keyed by stream. They must have the same number of partitions, so that a stream's chat and
    // speech meet in one task; the start fails with an explanation if they have not.
    let chat = builder.stream::<String, String>("chat").group_by_key().windowed_by(minutes);
    let speech = builder.stream::<String, String>("transcript").group_by_key().windowed_by(minutes);
    chat.emit(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10)))
        .cogroup(speech)
        // Each element is one row and one changelog record, so a busy minute costs no more per record than a quiet one.
        .collect("chats", "speeches")
        .map_values(|minute| summary(&minute))
        .to("minutes");

    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let chat = driver.input::<String, String>("chat");
    let transcript = driver.input::<String, String>("transcript");
    let chats = [("hi all", 3), ("LOL", 41), ("is the mic on?", 75), ("we can't hear you", 90)];
    let speeches =
        [("welcome back", 1), ("so this cat walks in", 38), ("sorry, I was muted", 125), ("let's go on", 150)];
    // Enqueued records are taken together, and by event time: it does not matter which topic was filled first.
    for (text, second) in chats {
        chat.enqueue("stream-1".to_owned(), text.to_owned(), second * 1000)?;
    }
    for (text, second) in speeches {
        transcript.enqueue("stream-1".to_owned(), text.to_owned(), second * 1000)?;
    }
    // Nobody says anything more. After the idle time the last minute closes all the same.
    driver.advance_wall_clock(Duration::from_mins(1))?;

    for summary in driver.output::<tidemill::Windowed<String>, String>("minutes").read_values()? {
        println!("{summary}");
    }
    Ok(())
}

/// What an application would hand to its analysis.
fn summary(minute: &Cogrouped<String, String>) -> String {
    let side = |name: &str, texts: &[String]| match texts {
        [] => format!("{name} silent"),
        texts => format!("{name}: {}", texts.join(" / ")),
    };
    format!("{} | {}", side("chat", &minute.left), side("microphone", &minute.right))
}
