//! Where the server is told what: defaults, below a file, below the environment, below flags.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::harness::{PATIENCE, Server, telsiz};

/// A file of this name that says this.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("written");
    path
}

/// What a command prints, which must succeed.
fn printed(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a command complains of, in one line and with exit code 2.
fn complaint(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let said = said.strip_prefix("error: ").expect("an error");
    said.trim_end().to_owned()
}

/// Runs a command, which must end: one that should have complained may serve instead.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = telsiz();
    command.args(arguments).envs(variables.iter().copied());
    // What it then keeps does not belong among the sources.
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    let pipes = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("it runs");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("a status").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("still running: {arguments:?} {variables:?}");
        }
        // Nothing here wakes us when a process ends.
        thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().expect("its output")
}

/// The row of a key in what `config show` prints, its blanks made one.
fn row(shown: &str, key: &str) -> String {
    let mut rows = shown.lines();
    let row = rows.find(|row| row.trim_start_matches('#').starts_with(&format!("{key} ")));
    let words: Vec<_> = row.expect(key).split_whitespace().collect();
    words.join(" ")
}

#[test]
fn flags_go_before_variables_and_these_before_the_file_and_this_before_defaults() {
    let path = file(
        "order.toml",
        "\nmax_message_size = 1001\nmax_fragments = 1002\nlang = \"en\"\nworkers = 3\n",
    );
    let path = path.display().to_string();
    let variables = [
        ("TELSIZ_MAX_FRAGMENTS", "2002"),
        ("TELSIZ_LANG", "tr"),
        ("TELSIZ_LOG", ""),
    ];
    let arguments = ["config", "show", "--config", &path, "--lang", "en"];
    let shown = printed(&arguments, &variables);
    for (key, expected) in [
        ("listen", "listen = \"127.0.0.1:8000\" # default".to_owned()),
        (
            "max_message_size",
            format!("max_message_size = 1001 # {path}:2"),
        ),
        ("workers", format!("workers = 3 # {path}:5")),
        (
            "max_fragments",
            "max_fragments = 2002 # TELSIZ_MAX_FRAGMENTS".to_owned(),
        ),
        ("lang", "lang = \"en\" # --lang".to_owned()),
        ("log", "log = \"warn,telsiz=info\" # default".to_owned()),
        ("tls_cert", "#tls_cert is not set".to_owned()),
    ] {
        assert_eq!(row(&shown, key), expected);
    }
}

#[tokio::test]
async fn a_server_is_what_the_file_says() {
    let path = file(
        "small.toml",
        "max_message_size = 10\nlang = \"en\"\nlog = \"error\"\n",
    );
    let path = path.display().to_string();
    let named: [(String, &[(&str, &str)]); 2] = [
        (format!("--config {path}"), &[]),
        (String::new(), &[("TELSIZ_CONFIG", &path)]),
    ];
    for (arguments, variables) in named {
        let server = Server::with(&arguments, "127.0.0.1:0", variables);
        assert!(server.banner.contains("To stop it"), "{}", server.banner);
        let mut client = server.open("/typed").await;
        client.send("01234567890").await;
        assert_eq!(client.ended().await.code().get(), 1009);
    }
}

#[test]
fn a_secret_is_not_shown() {
    let path = file("secret.toml", "api_key = \"of-the-file\"\n")
        .display()
        .to_string();
    let shown = printed(&["config", "show", "--config", &path], &[]);
    assert_eq!(
        row(&shown, "api_key"),
        format!("#api_key is set # {path}:1")
    );
    let shown = printed(
        &["config", "show"],
        &[("TELSIZ_API_KEY", "of-the-variable")],
    );
    assert_eq!(row(&shown, "api_key"), "#api_key is set # TELSIZ_API_KEY");
    assert!(!shown.contains("of-the"), "{shown}");
}

#[test]
fn what_is_wrong_is_told_in_one_line_with_its_place() {
    let path = file("wrong.toml", "lang = \"en\"\nmax_mesage_size = 1\n")
        .display()
        .to_string();
    for command in [&["serve"][..], &["config", "check"], &["config", "show"]] {
        let said = complaint(&[command, &["--config", &path]].concat(), &[]);
        let expected = "there is no key max_mesage_size; the nearest is max_message_size";
        assert_eq!(said, format!("{path}:2: {expected}"));
    }
    let sized = file("sized.toml", "workers = \"two\"\n")
        .display()
        .to_string();
    let none = "/no/such/telsiz.toml";
    for (arguments, variables, expected) in [
        (
            vec!["--config", &sized],
            vec![],
            "sized.toml:1: workers: expected a whole number",
        ),
        (
            vec!["--config", none],
            vec![],
            "cannot read the configuration file /no/such/telsiz.toml",
        ),
        (
            vec![],
            vec![("TELSIZ_WORKERS", "0")],
            "TELSIZ_WORKERS: expected a whole number from 1",
        ),
        (
            vec![],
            vec![("TELSIZ_LOGS", "debug")],
            "TELSIZ_LOGS: there is no such variable; the nearest is TELSIZ_LOG",
        ),
        (vec!["--rate-limit", "never"], vec![], "--rate-limit"),
        (
            vec!["--tls-cert", "x.pem"],
            vec![],
            "--tls-cert: needs a file as tls_key (--tls-key) beside it",
        ),
        (
            vec!["--memory", "--data", "d"],
            vec![],
            "--memory: cannot be used with --data",
        ),
    ] {
        for command in [&["serve"][..], &["config", "check"]] {
            let said = complaint(&[command, &arguments].concat(), &variables);
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn where_rooms_are_kept_is_decided_by_what_counts_more() {
    let memory = file("memory.toml", "memory = true\n").display().to_string();
    let both = file("both.toml", "memory = true\ndata = \"d\"\n")
        .display()
        .to_string();
    for (arguments, variables, sound) in [
        (vec!["--config", &memory, "--data", "d"], vec![], true),
        (vec!["--config", &both, "--memory"], vec![], true),
        (vec!["--config", &both], vec![], false),
        (vec!["--config", &memory], vec![("TELSIZ_DATA", "d")], true),
        (
            vec![],
            vec![("TELSIZ_DATA", "d"), ("TELSIZ_MEMORY", "on")],
            false,
        ),
    ] {
        let output = run(&[&["config", "check"][..], &arguments].concat(), &variables);
        assert_eq!(
            output.status.success(),
            sound,
            "{arguments:?} {variables:?}"
        );
    }
}

#[test]
fn a_variable_of_another_program_is_only_a_warning_and_those_of_containers_are_none() {
    for (name, warned) in [
        ("TELSIZ_FREQUENCY", true),
        ("TELSIZ_SERVICE_HOST", false),
        ("TELSIZ_PORT_8000_TCP_ADDR", false),
    ] {
        let output = run(&["config", "check"], &[(name, "10.0.0.1")]);
        assert!(output.status.success(), "{name}");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(said.contains(name), warned, "{said}");
    }
}

#[test]
fn check_reads_the_certificate_too() {
    let text = "tls_cert = \"/no/such.pem\"\ntls_key = \"/no/such.key\"\n";
    let path = file("tls.toml", text).display().to_string();
    let output = run(&["config", "check", "--config", &path], &[]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("tls.toml:1: tls_cert /no/such.pem"), "{said}");
}

#[test]
fn init_makes_a_file_that_is_sound_and_changes_nothing_and_none_is_written_over() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("init.toml");
    let _ = fs::remove_file(&path);
    let name = path.display().to_string();
    assert_eq!(printed(&["config", "init", &name], &[]), "");
    let made = fs::read_to_string(&path).expect("a file");
    assert_eq!(printed(&["config", "init"], &[]), made);
    let checked = printed(&["config", "check", "--config", &name], &[]);
    assert_eq!(checked, format!("{name} has no errors; mounts: 10\n"));
    assert_eq!(
        printed(&["config", "show", "--config", &name], &[]),
        printed(&["config", "show"], &[])
    );
    fs::write(&path, "lang = \"en\"\n").expect("written");
    let output = run(&["config", "init", &name], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        fs::read_to_string(&path).expect("a file"),
        "lang = \"en\"\n"
    );
}

#[test]
fn the_schema_is_json_that_knows_every_key_that_is_shown() {
    let schema = printed(&["config", "schema"], &[]);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let shown = printed(&["config", "show"], &[]);
    let settings = shown.lines().take_while(|line| !line.is_empty());
    let mut keys: Vec<_> = settings
        .filter_map(|line| line.trim_start_matches('#').split(' ').next())
        .chain(["mount"])
        .collect();
    keys.sort_unstable();
    let known = schema["properties"].as_object().expect("properties").keys();
    assert_eq!(known.map(String::as_str).collect::<Vec<_>>(), keys);
}

#[test]
fn the_help_of_a_flag_is_what_is_documented_of_its_key() {
    let help = printed(&["serve", "--help"], &[]);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "--config <FILE>",
        "--listen <HOST:PORT> Where to listen, unless a service manager hands over a socket [default: 127.0.0.1:8000]",
        "--memory Keep what is said in rooms in memory",
        "[possible values: tr, en]",
    ] {
        assert!(help.contains(expected), "{expected} in {help}");
    }
    assert!(!help.contains("--api-key"), "a secret would be seen by all");
}
