//! Counts by the minute, with records out of order and one too late.
//!
//! `cargo run --release -p tidemill --example windowed_count`
//!
//! The test driver runs the production code step by step under a clock of its own: the way to see what a topology does
//! before it runs anywhere, and to test it afterwards.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed, testing::TopologyTestDriver};

fn main() -> Result<(), Box<dyn Error>> {
    // A minute, and ten seconds in which records that come late still count. Nobody knows the right grace but you,
    // so there is no default.
    let minutes = TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(10));

    let builder = StreamsBuilder::new();
    let mut chats = builder
        .stream::<String, String>("chat")
        .group_by_key()
        .windowed_by(minutes)
        // One final result a window instead of one for each update. A window closes when a later record shows that
        // its time is over; `idle_after` closes it, too, when no record comes any more.
        .emit(EmitStrategy::on_window_close().idle_after(Duration::from_secs(30)));
    // Whatever comes later still is not lost in silence.
    chats.late_records().to("too-late");
    chats.count("chats-a-minute").to_stream().to("counts");

    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let chat = driver.input::<String, String>("chat");
    let counts = driver.output::<Windowed<String>, i64>("counts");
    let say = |text: &str, second: i64| {
        println!("{second:>4} s  {text}");
        chat.pipe("tidal".to_owned(), text.to_owned(), second * 1000)?;
        print_all(&counts.read()?);
        Ok::<_, Box<dyn Error>>(())
    };

    say("hello", 5)?;
    say("first!", 58)?;
    say("next minute, but the first stays open for its grace", 61)?;
    say("out of order, in time", 59)?;
    say("closes the first minute", 70)?;
    say("too late", 57)?;

    println!("a minute of silence");
    driver.advance_wall_clock(Duration::from_mins(1))?;
    print_all(&counts.read()?);
    println!("too late: {:?}", driver.output::<String, String>("too-late").read_values()?);
    Ok(())
}

fn print_all(counts: &[(Windowed<String>, i64, i64)]) {
    for (Windowed { key, window }, count, _) in counts {
        println!("        => {key}: {count} chats from {} s to {} s", window.start / 1000, window.end / 1000);
    }
}
