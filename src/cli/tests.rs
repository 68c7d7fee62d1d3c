//! What the command line takes and refuses.

use super::*;

fn read(line: &str) -> Cli {
    Cli::try_read(line.split(' ').map(OsString::from)).expect("it is a command")
}

#[test]
fn settings_count_before_the_command_and_behind_it() {
    let cli = read("tidemill --set a=1 --threads 2 --set b=2 serve --set c=3 --listen localhost:1");
    let flags = &cli.options.flags;
    assert_eq!(cli.options.set, ["a=1", "b=2", "c=3"]);
    assert_eq!((flags.get("run.threads"), flags.get("server.listen")), (Some("2"), Some("localhost:1")));
    assert_eq!(read("tidemill replay --set a=1 file").options.set, ["a=1"]);
    // The check of the setting tells what is wrong with it.
    assert_eq!(read("tidemill serve --threads -1").options.flags.get("run.threads"), Some("-1"));
}

fn refused(line: &str) -> String {
    let read = Cli::try_read(line.split(' ').map(OsString::from));
    read.map_or_else(|error| error.to_string(), |cli| cli.command.useless(&cli.options).concat())
}

#[test]
fn a_speed_is_a_number_that_a_recording_can_be_played_at() {
    for (speed, part) in
        [("nan", "write a number"), ("inf", "write a number"), ("fast", "write a number"), ("1e-300", "at least 0.001")]
    {
        assert!(refused(&format!("tidemill replay --speed {speed} file")).contains(part), "{speed}");
    }
    assert!(refused("tidemill replay --speed=-1 file").contains("negative"));
    assert!(refused("tidemill demo --speed 0").contains("above 0"));
    assert_eq!(refused("tidemill replay --speed 0 file"), "");
}

#[test]
fn an_address_to_replay_to_has_its_scheme() {
    let told = refused("tidemill replay --url localhost:8080 file");
    assert!(told.contains("such as http://localhost:8080"), "{told}");
    assert!(refused("tidemill replay --url http:// file").contains("no host"));
    assert_eq!(refused("tidemill replay --url https://mill.example file"), "");
}

#[test]
fn replay_takes_no_options_of_a_server() {
    let told = refused("tidemill replay --data-dir data --set live.window=1s file");
    assert!(told.contains("--data-dir is for the server") && told.contains("--set live.window=1s is for"), "{told}");
    assert!(refused("tidemill --threads 2 replay file").contains("--threads is for the server"));
    assert_eq!(refused("tidemill replay --log debug file"), "");
    assert_eq!(refused("tidemill serve --data-dir data"), "");
    let help = refused("tidemill replay --help");
    assert!(help.contains("--url") && help.contains("--log") && help.contains("--speed"), "{help}");
    for hidden in ["--data-dir", "--listen", "--brokers", "--set", "--threads"] {
        assert!(!help.contains(&format!("{hidden} ")), "{hidden} in {help}");
    }
}

#[test]
fn dlq_takes_no_options_of_a_server() {
    let told = refused("tidemill dlq list --data-dir data");
    assert!(told.contains("--data-dir is for the server that has the calls"), "{told}");
    assert!(refused("tidemill dlq replay --url localhost 0-1").contains("such as http://localhost"));
    assert_eq!(refused("tidemill dlq replay --application live-insight 0-1 1-20"), "");
    let told = refused("tidemill dlq list --records --from yesterday");
    assert!(told.contains("write milliseconds since 1970, such as"), "{told}");
    assert_eq!(refused("tidemill dlq list --records --from -1"), "");
    let help = refused("tidemill dlq replay --help");
    assert!(help.contains("--url") && help.contains("--all"), "{help}");
    for hidden in ["--data-dir", "--listen", "--brokers", "--threads"] {
        assert!(!help.contains(&format!("{hidden} ")), "{hidden} in {help}");
    }
}

#[test]
fn the_command_line_is_sound() {
    with_applications(Cli::command()).debug_assert();
}
