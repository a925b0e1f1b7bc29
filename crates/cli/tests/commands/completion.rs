//! What a shell completes.

use crate::house::House;

/// What the script of a shell gets for the last word, options apart.
fn completed(house: &House, words: &[&str]) -> Vec<String> {
    let output =
        house.command(&[&["--", "sesame"], words].concat()).env("SESAME_COMPLETE", "fish").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.lines().map(|line| line.split('\t').next().unwrap().to_owned());
    words.filter(|word| !word.starts_with('-')).collect()
}

#[test]
fn names_of_the_vault_platforms_apis_and_codes_are_completed() {
    let house = House::with_accounts(&[("lazada", "ocean-trade"), ("1688", "other")]);
    for words in [
        &["products", "list", "oc"][..],
        &["call", "oc"],
        &["token", "oc"],
        &["login", "lazada", "--as", "oc"],
        &["sign", "--account", "oc"],
        &["vault", "audit", "--account", "oc"],
        &["stock", "set", "oc"],
        &["products", "offline", "oc"],
        &["orders", "ship", "oc"],
    ] {
        assert_eq!(completed(&house, words), ["ocean-trade"], "{words:?}");
    }
    assert_eq!(completed(&house, &["products", "list", "ocean-trade", "ot"]), ["other"]);
    let sheet = house.file("prices.csv", "sku,price\n");
    assert_eq!(completed(&house, &["price", "set", "other", sheet.trim_end_matches(".csv")]), [sheet]);
    house.run(&["accounts", "tag", "other", "+south", "+sale"]).succeeds();
    assert_eq!(completed(&house, &["products", "list", "--tag", "so"]), ["south"]);
    assert_eq!(completed(&house, &["login", ""]), ["1688", "lazada"]);
    assert_eq!(completed(&house, &["app", "add", "aliexpress-"]), ["aliexpress-legacy"]);
    assert_eq!(completed(&house, &["apis", "list", "taobao-"]), ["taobao-global"]);
    assert_eq!(completed(&house, &["apis", "search", "x", "--platform", "mir"]), ["miravia"]);
    assert_eq!(completed(&house, &["sign", "--protocol", "i"]), ["iop"]);
    assert!(completed(&house, &["call", "ocean-trade", "/orders/g"]).contains(&"/orders/get".to_owned()));
    let orders =
        |words: &[&str]| completed(&house, &[&["call", "ocean-trade", "/orders/get"], words].concat());
    assert_eq!(orders(&["sort_d"]), ["sort_direction="]);
    assert_eq!(orders(&["limit=10", "sort_direction="]), ["sort_direction=ASC", "sort_direction=DESC"]);
    let short = completed(&house, &["call", "other", "alibaba.trade.getSellerOrderL"]);
    assert_eq!(short, ["alibaba.trade.getSellerOrderList"]);
    // Only the APIs of the account's platform.
    assert_eq!(completed(&house, &["call", "ocean-trade", "taobao.items."]), Vec::<String>::new());
    assert!(completed(&house, &["apis", "show", "/orders/g"]).contains(&"/orders/get".to_owned()));
    assert!(completed(&house, &["explain", "Incom"]).contains(&"IncompleteSignature".to_owned()));
    // Codes of single APIs, too; of the platform that is named.
    assert_eq!(
        completed(&house, &["explain", "-p", "lazada", "410"]),
        ["4104", "4105", "4106", "4107", "4108", "4109"]
    );
    assert_eq!(completed(&house, &["explain", "-p", "1688", "410"]), Vec::<String>::new());
    let commands = completed(&house, &[""]);
    assert!(commands.contains(&"login".to_owned()) && !commands.contains(&"generate-docs".to_owned()));
    assert_eq!(completed(&house, &["generate"]), Vec::<String>::new());
}

#[test]
fn members_of_objects_are_completed() {
    let house = House::with_accounts(&[("lazada", "ocean-trade")]);
    let update =
        |word: &str| completed(&house, &["call", "ocean-trade", "/product/price_quantity/update", word]);
    assert_eq!(update("pay").first().map(String::as_str), Some("payload="));
    assert_eq!(
        update("payload.Request.Product.Skus.Sku.0.Sale"),
        ["SaleEndDate", "SalePrice", "SaleStartDate"]
            .map(|name| format!("payload.Request.Product.Skus.Sku.0.{name}="))
    );
    // The position that is written.
    assert_eq!(
        update("payload.Request.Product.Skus.Sku.3.It"),
        ["payload.Request.Product.Skus.Sku.3.ItemId="]
    );
    assert_eq!(update("payload.Nothing."), Vec::<String>::new());
}

#[test]
fn completing_makes_no_vault_and_survives_a_broken_configuration() {
    let house = House::empty();
    assert_eq!(completed(&house, &["token", ""]), Vec::<String>::new());
    assert!(!house.path().join("vault.db").exists());
    std::fs::write(house.path().join("config.toml"), "nonsense").unwrap();
    assert_eq!(completed(&house, &["token", ""]), Vec::<String>::new());
    assert_eq!(completed(&house, &["app", "add", "mir"]), ["miravia"]);
}

/// Bash ends words at `=` and `:`, and replaces what is behind them alone.
#[cfg(unix)]
#[test]
fn bash_completes_values_and_names_with_colons() {
    let house = House::with_accounts(&[("lazada", "ocean-trade"), ("1688", "other")]);
    let script = house.run(&["completions", "bash"]).succeeds().stdout;
    // As readline calls the function: the line, its words, the last one up to the cursor.
    let ask = |line: &str, words: &[&str], current: &str| {
        let call = format!(
            "{script}\nCOMP_LINE=$1; shift; current=$1; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9\n\
             _sesame sesame \"$current\" ''; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_sesame")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &call, "bash", line, current]).args(words);
        let output = command.env("SESAME_HOME", house.path()).env("PATH", path).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let orders = ["sesame", "call", "ocean-trade", "/orders/get", "sort_direction", "="];
    let line = "sesame call ocean-trade /orders/get sort_direction=";
    assert_eq!(ask(line, &orders, ""), ["ASC", "DESC"]);
    assert_eq!(ask(&format!("{line}D"), &[&orders[..], &["D"]].concat(), "D"), ["DESC"]);
    // Two words, not `limit= so`.
    let two = ["sesame", "call", "ocean-trade", "/orders/get", "limit", "=", "sort_d"];
    assert_eq!(ask("sesame call ocean-trade /orders/get limit= sort_d", &two, "sort_d"), ["sort_direction="]);
    let name = ["sesame", "call", "other", "com.alibaba.trade", ":", "alibaba.trade.getSellerOrderL"];
    let line = "sesame call other com.alibaba.trade:alibaba.trade.getSellerOrderL";
    assert_eq!(ask(line, &name, name[5]), ["alibaba.trade.getSellerOrderList"]);
}

/// A command that finds `sesame` and this house; `None` where the shell is not installed.
#[cfg(unix)]
fn shell(house: &House, name: &str) -> Option<std::process::Command> {
    std::process::Command::new(name).arg("--version").output().ok()?;
    let mut command = std::process::Command::new(name);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_sesame")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    command.env("SESAME_HOME", house.path()).env("PATH", path).env("HOME", house.path());
    Some(command)
}

const LINES: [(&str, &str); 4] = [
    ("sesame explain Incompl", "sesame explain IncompleteSignature"),
    ("sesame call ocean-trade /orders/ge", "sesame call ocean-trade /orders/get"),
    ("sesame call ocean-trade /orders/get sort_d", "sesame call ocean-trade /orders/get sort_direction="),
    (
        "sesame call other com.alibaba.trade:alibaba.trade.getSellerOrderL",
        "sesame call other com.alibaba.trade:alibaba.trade.getSellerOrderList",
    ),
];

#[cfg(unix)]
#[test]
fn fish_completes() {
    let house = House::with_accounts(&[("lazada", "ocean-trade"), ("1688", "other")]);
    let script = house.path().join("sesame.fish");
    std::fs::write(&script, house.run(&["completions", "fish"]).succeeds().stdout).unwrap();
    for (line, whole) in LINES {
        let Some(mut fish) = shell(&house, "fish") else { return };
        let ask = format!("source {}; complete -C '{line}'", script.display());
        let output = fish.args(["--no-config", "-c", &ask]).output().unwrap();
        let offered = String::from_utf8(output.stdout).unwrap();
        let (before, last) = whole.rsplit_once(' ').unwrap();
        assert!(line.starts_with(before));
        assert_eq!(offered.lines().next().and_then(|line| line.split('\t').next()), Some(last), "{line}");
    }
}

/// Presses Tab in a shell in a terminal, where the script is a file of `$fpath`, as the help says.
#[cfg(unix)]
#[test]
fn zsh_completes_at_the_first_tab() {
    const TAB: &str = r#"
        zmodload zsh/zpty
        zpty shell "env TERM=dumb COLUMNS=200 zsh -f -i"
        zpty -w shell "PROMPT='> '; unsetopt zle_bracketed_paste; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; print rea''dy"
        out=
        until [[ $out == *ready* ]]; do zpty -r shell chunk; out+=$chunk; done
        zpty -w -n shell "$2"$'\t'
        out=
        # What is read without waiting, since no line ends here; half a minute at most.
        for ((tries = 0; tries < 300; tries++)); do
            # It may ring while it writes.
            while zpty -rt shell chunk; do out+=${chunk//$'\a'/}; done
            [[ $out == *"$3"* ]] && break
            sleep 0.1
        done
        print -r -- "$out"
    "#;
    let house = House::with_accounts(&[("lazada", "ocean-trade"), ("1688", "other")]);
    std::fs::write(house.path().join("_sesame"), house.run(&["completions", "zsh"]).succeeds().stdout)
        .unwrap();
    for (line, whole) in LINES {
        let Some(mut zsh) = shell(&house, "zsh") else { return };
        let folder = house.path().display().to_string();
        let output = zsh.args(["-f", "-c", TAB, "zsh", &folder, line, whole]).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains(whole), "{line}: {shown}");
    }
}

/// PowerShell is not tried here; what its script asks is.
#[test]
fn powershell_asks_for_the_word_at_the_cursor() {
    let house = House::with_accounts(&[("lazada", "ocean-trade")]);
    let script = house.run(&["completions", "powershell"]).succeeds().stdout;
    for part in
        ["Register-ArgumentCompleter -Native -CommandName sesame", "$env:SESAME_COMPLETE = \"powershell\""]
    {
        assert!(script.contains(part), "{script}");
    }
    let ask = |words: &[&str]| {
        let mut command = house.command(&[&["--", "sesame"], words].concat());
        let output = command.env("SESAME_COMPLETE", "powershell").output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().next().map(str::to_owned)
    };
    assert_eq!(ask(&["explain", "Incompl"]).as_deref(), Some("IncompleteSignature"));
    assert_eq!(ask(&["call", "ocean-trade", "/orders/ge"]).as_deref(), Some("/orders/get"));
}
