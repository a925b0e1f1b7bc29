//! Where every setting comes from: flags beat the environment, the environment beats the file.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use etcetera::BaseStrategy as _;
use serde::Deserialize;
use sesame_core::{AppSecret, Error, nearest::nearest};
use sesame_vault::{Location, ensure_private};

use crate::{
    bounded_file::{self, Unread},
    chosen::{Chosen, Origin, choose, optional},
    exit::{CliError, CliResult},
    global::{Global, parse_timeout},
    output::Format,
};

/// The largest `config.toml` that is read.
const MAX_FILE: u64 = 1 << 20;

/// Everything that can be set from outside.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The directory that holds everything.
    pub(crate) home: Chosen<PathBuf>,
    /// The vault's location, `sqlite:PATH` or `postgres://...` with a password, when one was named;
    /// else it is in the home.
    pub(crate) vault: Chosen<Option<AppSecret>>,
    /// A sandbox that stands in for every platform.
    pub(crate) endpoint: Chosen<Option<String>>,
    /// The output form, when one was asked for.
    pub(crate) output: Chosen<Option<Format>>,
    /// The time limit of one call, repeats included.
    pub(crate) timeout: Chosen<Duration>,
    /// Where the vault's master key comes from.
    pub(crate) key: Key,
    /// What the file says of `sesame keeper`.
    pub(crate) keeper: KeeperFile,
}

/// Where the vault's master key comes from. A vault that exists remembers its own way.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// The vault decides.
    Auto,
    /// The keyring of the desktop session.
    Keyring,
    /// A file beside the vault.
    File,
    /// `SESAME_PASSPHRASE`.
    Passphrase(AppSecret),
    /// `SESAME_MASTER_KEY`.
    Environment(AppSecret),
}

/// `SESAME_HOME/config.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vault: Option<String>,
    endpoint: Option<String>,
    output: Option<String>,
    timeout: Option<String>,
    key: Option<String>,
    #[serde(default)]
    keeper: KeeperFile,
}

/// The table `[keeper]` of `SESAME_HOME/config.toml`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeeperFile {
    /// Which access tokens are kept fresh.
    pub(crate) keep: Option<KeepChoice>,
    /// A command and its arguments, told of events.
    pub(crate) hook: Option<Vec<String>>,
    /// An address that events are posted to.
    pub(crate) webhook: Option<String>,
    /// How many days the audit trail is kept.
    pub(crate) audit_days: Option<u32>,
    /// The most refreshes of one app in a second.
    pub(crate) per_app: Option<u32>,
}

/// Which access tokens `sesame keeper` keeps fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeepChoice {
    /// Those of shops used in the last 7 days.
    Used,
    /// All.
    Always,
    /// None: refresh tokens are prolonged and warnings given all the same.
    Never,
}

/// The keys of the file, for "did you mean".
const KEYS: [&str; 6] = ["vault", "endpoint", "output", "timeout", "key", "keeper"];
/// The keys of its table `[keeper]`.
const KEEPER_KEYS: [&str; 5] = ["keep", "hook", "webhook", "audit_days", "per_app"];

impl Settings {
    /// Gathers the settings. Reads `config.toml` if there is one; creates nothing.
    ///
    /// # Errors
    /// Usage, for values that cannot be read, with the name of where they stand.
    pub(crate) fn gather(
        flags: &Global,
        environment: impl Fn(&'static str) -> Option<OsString>,
    ) -> CliResult<Self> {
        Self::gather_with(flags, environment, read_file)
    }

    /// As [`Settings::gather`], without `config.toml`: for a command that says what is wrong with it.
    ///
    /// # Errors
    /// Usage, for values of flags and variables that cannot be read.
    pub(crate) fn without_file(
        flags: &Global,
        environment: impl Fn(&'static str) -> Option<OsString>,
    ) -> CliResult<Self> {
        Self::gather_with(flags, environment, |_| Ok(File::default()))
    }

    fn gather_with(
        flags: &Global,
        environment: impl Fn(&'static str) -> Option<OsString>,
        read_file: impl FnOnce(&Path) -> CliResult<File>,
    ) -> CliResult<Self> {
        let environment = |name| environment(name).filter(|value| !is_blank(value));
        let home = choose(
            flags.home.clone().map(|path| (path, "--home")),
            environment("SESAME_HOME").map(|path| (PathBuf::from(path), "SESAME_HOME")),
            None,
        )
        .map_or_else(default_home, Ok)?;
        let path = home.value.join("config.toml");
        let file = read_file(&path)?;

        // A variable that a flag overrules has to be readable, too: whoever set it means something.
        let variable = |name| environment(name).map(|value| as_text(name, value)).transpose();
        let text = |flag: Option<&String>, flag_name, name, in_file: Option<String>| -> CliResult<_> {
            Ok(choose(
                flag.cloned().map(|value| (value, flag_name)),
                variable(name)?.map(|value| (value, name)),
                in_file.map(|value| (value, path.clone())),
            ))
        };
        let vault = optional(
            text(flags.vault.as_ref(), "--vault", "SESAME_VAULT", file.vault)?
                .map(|Chosen { value, origin }| Chosen { value: AppSecret::new(value), origin }),
        );
        let endpoint =
            optional(text(flags.endpoint.as_ref(), "--endpoint", "SESAME_ENDPOINT", file.endpoint)?);
        let output = match flags.output {
            Some(format) => Chosen { value: Some(format), origin: Origin::Flag("--output") },
            None => match text(None, "--output", "SESAME_OUTPUT", file.output)? {
                Some(Chosen { value, origin }) => {
                    Chosen { value: Some(parse_format(&value, &origin)?), origin }
                }
                None => Chosen { value: None, origin: Origin::Default },
            },
        };
        let output = with_mark(flags.bom, output)?;
        let timeout = match flags.timeout {
            Some(limit) => Chosen { value: limit, origin: Origin::Flag("--timeout") },
            None => match text(None, "--timeout", "SESAME_TIMEOUT", file.timeout)? {
                Some(Chosen { value, origin }) => {
                    let limit =
                        parse_timeout(&value).map_err(|why| Error::usage(format!("{origin}: {why}")))?;
                    Chosen { value: limit, origin }
                }
                None => Chosen { value: Duration::from_mins(1), origin: Origin::Default },
            },
        };
        let key = text(None, "", "SESAME_KEY", file.key)?;
        let origin = key.as_ref().map(|key| key.origin.to_string());
        let chosen = parse_key(key)?;
        let given = match (variable("SESAME_MASTER_KEY")?, variable("SESAME_PASSPHRASE")?) {
            (Some(_), Some(_)) => return Err(two_keys("SESAME_MASTER_KEY", "SESAME_PASSPHRASE")),
            (master, passphrase) => {
                let master = master.map(|text| ("SESAME_MASTER_KEY", Key::Environment(AppSecret::new(text))));
                let phrase =
                    passphrase.map(|text| ("SESAME_PASSPHRASE", Key::Passphrase(AppSecret::new(text))));
                master.or(phrase)
            }
        };
        let key = match (given, chosen) {
            (Some((variable, _)), Key::File | Key::Keyring) => {
                return Err(two_keys(variable, &origin.unwrap_or_default()));
            }
            (Some((_, given)), _) => given,
            (None, chosen) => chosen,
        };
        Ok(Self { home, vault, endpoint, output, timeout, key, keeper: file.keeper })
    }

    /// Makes the settings of a run that has nothing to do with the user's.
    pub(crate) fn apart(home: PathBuf, endpoint: String, key: AppSecret) -> Self {
        Self {
            vault: Chosen { value: None, origin: Origin::Default },
            home: Chosen { value: home, origin: Origin::Default },
            endpoint: Chosen { value: Some(endpoint), origin: Origin::Default },
            output: Chosen { value: None, origin: Origin::Default },
            timeout: Chosen { value: Duration::from_secs(20), origin: Origin::Default },
            key: Key::Environment(key),
            keeper: KeeperFile::default(),
        }
    }

    /// Returns where the vault is.
    ///
    /// # Errors
    /// Usage, for a text that names no vault.
    pub(crate) fn location(&self) -> Result<Location, Error> {
        match &self.vault.value {
            Some(text) => match text.expose().parse::<Location>() {
                Ok(location) => Ok(location.at_home(&self.home.value)),
                Err(error) => Err(error.context(&self.vault.origin)),
            },
            None => Ok(Location::Sqlite(self.home.value.join("vault.db"))),
        }
    }

    /// Returns the user's own catalog directory, if it exists.
    pub(crate) fn catalog_dir(&self) -> Option<PathBuf> {
        let path = self.home.value.join("catalog");
        path.is_dir().then_some(path)
    }
}

/// Returns `true` if a variable is set to nothing.
fn is_blank(value: &OsString) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

/// Reads a variable of the environment as text. To take one that cannot be read as absent would send
/// a call that was meant for a sandbox to the real platforms.
///
/// # Errors
/// Usage, with the variable's name and without its value, which may be a secret.
pub(crate) fn as_text(name: &str, value: OsString) -> CliResult<String> {
    value.into_string().map_err(|_| {
        Error::usage(format!("the variable {name} is not UTF-8 text"))
            .with_hint(format!("Set it again, or leave it out: unset {name}."))
            .into()
    })
}

fn default_home() -> CliResult<Chosen<PathBuf>> {
    match etcetera::base_strategy::choose_native_strategy() {
        Ok(places) => Ok(Chosen { value: places.data_dir().join("sesame"), origin: Origin::Default }),
        Err(_) => Err(Error::usage("this user has no home directory")
            .with_hint("Say where Sesame may keep its data: SESAME_HOME=DIR or --home DIR.")
            .into()),
    }
}

fn read_file(path: &Path) -> CliResult<File> {
    if let Some(home) = path.parent() {
        ensure_private("the home", home)?;
    }
    ensure_private("the configuration", path)?;
    let shown = path.display();
    let bytes = match bounded_file::read(path, MAX_FILE) {
        Ok(bytes) => bytes,
        Err(Unread::System(error))
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(File::default());
        }
        Err(Unread::System(error)) => {
            return Err(Error::local(format!("cannot read {shown}: {error}"))
                .with_hint("It may set the vault or a sandbox, so nothing is done without it. Check who owns it and its mode.")
                .into());
        }
        Err(why) => {
            return Err(Error::usage(format!("cannot read {shown}: {why}"))
                .with_hint("The configuration is a small file of TOML.")
                .into());
        }
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::usage(format!("{shown} is not UTF-8 text")).with_hint("Save it as UTF-8."))?;
    toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1));
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let all = [&KEYS[..], &KEEPER_KEYS[..]].concat();
        let hint = unknown.and_then(|name| nearest(name, all)).map_or_else(
            || {
                format!(
                    "The keys are: {}; in the table [keeper]: {}. For example: output = \"json\".",
                    KEYS.join(", "),
                    KEEPER_KEYS.join(", ")
                )
            },
            |near| format!("Did you mean {near:?}?"),
        );
        Error::usage(format!("{}, line {line}: {message}", path.display())).with_hint(hint).into()
    })
}

/// Applies `--bom`, and refuses a form that standard output cannot have.
fn with_mark(bom: bool, mut output: Chosen<Option<Format>>) -> CliResult<Chosen<Option<Format>>> {
    match output.value {
        Some(Format::Csv) if bom => output.value = Some(Format::Excel),
        Some(Format::Excel) => {}
        _ if bom => {
            return Err(Error::usage("--bom is for CSV")
                .with_hint("Add --output csv, or leave --bom out.")
                .into());
        }
        Some(Format::Xlsx) if io::stdout().is_terminal() => {
            return Err(Error::usage("a workbook cannot be shown on a terminal")
                .with_hint("Send it to a file: --output xlsx > rows.xlsx.")
                .into());
        }
        _ => {}
    }
    Ok(output)
}

fn parse_format(text: &str, origin: &Origin) -> CliResult<Format> {
    <Format as clap::ValueEnum>::from_str(text, true).map_err(|_| {
        Error::usage(format!("{origin}: invalid output format {text:?}"))
            .with_hint("Use one of: table, json, ndjson, csv, excel, xlsx.")
            .into()
    })
}

/// Two places for the master key are given, and one of them would be passed over in silence.
fn two_keys(one: &str, other: &str) -> CliError {
    Error::usage(format!("a vault has one key, and two are chosen: by {one} and by {other}"))
        .with_hint("Unset one of them. `sesame accounts show NAME` tells where the key of a vault is.")
        .into()
}

fn parse_key(chosen: Option<Chosen<String>>) -> CliResult<Key> {
    let Some(Chosen { value, origin }) = chosen else { return Ok(Key::Auto) };
    match value.as_str() {
        "auto" => Ok(Key::Auto),
        "keyring" => Ok(Key::Keyring),
        "file" => Ok(Key::File),
        other => Err(Error::usage(format!("{origin}: invalid place {other:?} for the vault's master key"))
            .with_hint("Use auto, keyring or file; or set SESAME_PASSPHRASE or SESAME_MASTER_KEY.")
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(flags: &Global, environment: &[(&str, &str)]) -> CliResult<Settings> {
        Settings::gather(flags, |name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn flags_beat_environment_beats_file_beats_default() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        std::fs::write(
            home.path().join("config.toml"),
            "output = \"csv\"\nendpoint = \"http://127.0.0.1:1\"\ntimeout = \"5s\"\n",
        )
        .unwrap();

        let file = gather(&Global::default(), &[("SESAME_HOME", &path)]).unwrap();
        assert_eq!(file.output.value, Some(Format::Csv));
        assert!(matches!(file.output.origin, Origin::File(_)));
        assert_eq!(file.timeout.value, Duration::from_secs(5));
        assert_eq!(file.location().unwrap(), Location::Sqlite(home.path().join("vault.db")));
        assert_eq!(file.vault.origin, Origin::Default);

        let environment = [
            ("SESAME_HOME", path.as_str()),
            ("SESAME_ENDPOINT", "http://127.0.0.1:2"),
            ("SESAME_OUTPUT", "json"),
        ];
        let both = gather(&Global::default(), &environment).unwrap();
        assert_eq!(both.endpoint.value.as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(both.endpoint.origin, Origin::Environment("SESAME_ENDPOINT"));
        assert_eq!(both.output.value, Some(Format::Json));

        let flags = Global { endpoint: Some("http://127.0.0.1:3".to_owned()), ..Global::default() };
        let all = gather(&flags, &environment).unwrap();
        assert_eq!(all.endpoint.value.as_deref(), Some("http://127.0.0.1:3"));
        assert_eq!(all.endpoint.origin, Origin::Flag("--endpoint"));
    }

    #[test]
    fn of_two_places_for_the_key_none_is_passed_over_in_silence() {
        let master = ("SESAME_MASTER_KEY", "k");
        let passphrase = ("SESAME_PASSPHRASE", "p");
        for pair in
            [[master, passphrase], [master, ("SESAME_KEY", "file")], [passphrase, ("SESAME_KEY", "keyring")]]
        {
            let environment = [("SESAME_HOME", "/nowhere"), pair[0], pair[1]];
            let stop = gather(&Global::default(), &environment).unwrap_err();
            let CliError::Failed(error) = stop else { panic!("not an error") };
            assert!(pair.iter().all(|(name, _)| error.message().contains(name)), "{}", error.message());
        }
        for one in [master, passphrase, ("SESAME_KEY", "auto")] {
            assert!(gather(&Global::default(), &[("SESAME_HOME", "/nowhere"), one]).is_ok());
        }
        let both = [("SESAME_HOME", "/nowhere"), master, ("SESAME_KEY", "bogus")];
        assert!(gather(&Global::default(), &both).is_err(), "what is wrong is said");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_an_error_and_a_home_may_be_any_path() {
        use std::os::unix::ffi::OsStringExt;

        let odd = || OsString::from_vec(b"/nowhere\xff".to_vec());
        for bad in [
            "SESAME_ENDPOINT",
            "SESAME_VAULT",
            "SESAME_OUTPUT",
            "SESAME_TIMEOUT",
            "SESAME_KEY",
            "SESAME_MASTER_KEY",
            "SESAME_PASSPHRASE",
        ] {
            let environment = |name: &'static str| (name == bad).then(odd);
            let flags = Global {
                home: Some("/nowhere".into()),
                endpoint: Some("http://127.0.0.1:3".to_owned()),
                ..Global::default()
            };
            let stop = Settings::gather(&flags, environment);
            let crate::exit::CliError::Failed(error) = stop.unwrap_err() else { panic!("not an error") };
            assert!(error.message().contains(bad), "{}", error.message());
        }
        let home = |name: &'static str| (name == "SESAME_HOME").then(odd);
        let settings = Settings::gather(&Global::default(), home).unwrap();
        assert_eq!(settings.home.value, PathBuf::from(odd()));
        assert_eq!(settings.location().unwrap(), Location::Sqlite(PathBuf::from(odd()).join("vault.db")));
    }

    #[test]
    fn a_database_has_its_key_in_the_home_and_its_password_nowhere() {
        let address = "postgres://shop:planted0hunter2@db.example/vault";
        let settings = gather(&Global::default(), &[("SESAME_HOME", "/nowhere"), ("SESAME_VAULT", address)]);
        let settings = settings.unwrap();
        let Location::Postgres(database) = settings.location().unwrap() else { panic!("a file") };
        assert!(database.has_password());
        assert_eq!(*database, sesame_vault::Database::parse(address).unwrap().at_home("/nowhere"));
        assert!(!format!("{settings:?} {database:?}").contains("hunter2"));
        let odd = "postgres://shop:planted0hunter2/@db.example/vault";
        let settings = gather(&Global::default(), &[("SESAME_HOME", "/nowhere"), ("SESAME_VAULT", odd)]);
        let error = settings.unwrap().location().unwrap_err();
        assert!(error.message().starts_with("environment SESAME_VAULT: "), "{error}");
        assert!(!format!("{error:?} {:?}", error.hint()).contains("hunter2"));
    }

    #[test]
    fn an_empty_variable_says_nothing() {
        let environment = [("SESAME_HOME", "/nowhere"), ("SESAME_ENDPOINT", "")];
        assert_eq!(gather(&Global::default(), &environment).unwrap().endpoint.value, None);
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config.toml"), "output = \"json\"\nendpiont = \"x\"\n").unwrap();
        let stop = gather(&Global::default(), &[("SESAME_HOME", home.path().to_str().unwrap())]).unwrap_err();
        let crate::exit::CliError::Failed(error) = stop else { panic!("not an error") };
        assert!(error.message().contains("config.toml, line 2"), "{}", error.message());
        assert_eq!(error.hint(), Some("Did you mean \"endpoint\"?"));
    }

    #[test]
    fn the_keeper_has_a_table_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(home.path().join("config.toml"), text).unwrap();
            gather(&Global::default(), &[("SESAME_HOME", home.path().to_str().unwrap())])
        };
        let keeper = read("[keeper]\nkeep = \"always\"\nhook = [\"notify\", \"--shop\"]\naudit_days = 30\n")
            .unwrap()
            .keeper;
        assert_eq!((keeper.keep, keeper.audit_days), (Some(KeepChoice::Always), Some(30)));
        assert_eq!(keeper.hook.unwrap(), ["notify", "--shop"]);
        for (text, told) in [
            ("[keeper]\nhok = [\"x\"]\n", "hok"),
            ("[keeper]\nkeep = \"sometimes\"\n", "sometimes"),
            ("[keeper]\nhook = \"notify --shop\"\n", "line 2"),
        ] {
            let crate::exit::CliError::Failed(error) = read(text).unwrap_err() else {
                panic!("not an error")
            };
            assert!(error.message().contains(told), "{}", error.message());
        }
    }
}
