//! The page of `--html`: whole as it is written, and in a browser in both schemes and on a phone.

mod echo_server;

use std::{
    env, fs,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// A page of a run that went well.
fn page(directory: &Path) -> PathBuf {
    let file = directory.join("report.html");
    let output = Command::new(env!("CARGO_BIN_EXE_reactor-load"))
        .args([
            "echo",
            &echo_server::start().to_string(),
            "--connections",
            "4",
        ])
        .args(["--duration", "3s", "--warmup", "0s", "--html"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    file
}

#[test]
fn a_page_is_whole_and_loads_nothing() {
    let text = fs::read_to_string(page(&directory("html-whole"))).unwrap();
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(&text, options).unwrap();
    let elements = || document.descendants().filter(roxmltree::Node::is_element);
    let number = |name| elements().filter(|node| node.has_tag_name(name)).count();
    // By name, as they are in a namespace.
    let charts = elements().filter(|node| node.tag_name().name() == "svg");
    assert_eq!(charts.count(), 4);
    assert_eq!(number("script"), 0);
    for node in elements() {
        assert!(node.attribute("src").is_none() && node.attribute("href").is_none());
    }
    assert!(text.contains("All went well"));
}

#[test]
fn a_browser_shows_it_light_and_dark_and_on_a_phone() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: no chromium, chromium-browser or google-chrome in PATH");
        return;
    };
    let directory = directory("html-browser");
    let page = page(&directory);
    for (scheme, is_dark) in [("0", true), ("1", false)] {
        let picture = directory.join(format!("scheme-{scheme}.png"));
        let output = run(
            &browser,
            &directory,
            &[
                &format!("--blink-settings=preferredColorScheme={scheme}"),
                "--window-size=1280,1600",
                &format!("--screenshot={}", picture.display()),
            ],
            &page,
        );
        says_nothing(&output);
        let shown = Shown::of(&picture);
        let is_right = if is_dark {
            shown.background < 64
        } else {
            shown.background > 192
        };
        assert!(is_right, "scheme {scheme}: {shown:?}");
        // Text and lines cover some of a page: nothing, or all of it, would be no page.
        assert!((0.01..0.6).contains(&shown.covered), "{shown:?}");
        assert!(shown.colours > 50, "{shown:?}");
    }
    let width = width_in_a_narrow_frame(&browser, &directory, &page);
    assert!(width <= 400, "{width} pixels wide on a screen of 400");
}

fn browser() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |directory| directory.join(name)))
        .find(|file| file.is_file())
}

/// Opens one of our own pages, which needs no sandbox; root has none.
fn run(browser: &Path, directory: &Path, options: &[&str], page: &Path) -> Output {
    let output = Command::new("timeout")
        .arg("120")
        .arg(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr"])
        .arg(format!(
            "--user-data-dir={}",
            directory.join("profile").display()
        ))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// What a page complains of is in the browser's log.
fn says_nothing(output: &Output) {
    let log = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// The page in a frame of 400 pixels; only the page around it has a script, which measures.
fn width_in_a_narrow_frame(browser: &Path, directory: &Path, page: &Path) -> u32 {
    let text = fs::read_to_string(page).unwrap();
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    let around = format!(
        "<!DOCTYPE html><title>none</title><iframe style=\"width:400px;height:800px;border:0\" srcdoc=\"{text}\"></iframe>\
         <script>onload = () => {{ document.title = \
         document.querySelector('iframe').contentDocument.documentElement.scrollWidth }}</script>"
    );
    let file = directory.join("narrow.html");
    fs::write(&file, around).unwrap();
    let output = run(browser, directory, &["--dump-dom"], &file);
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom
        .split("<title>")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    title.unwrap().parse().unwrap()
}

/// What a picture looks like, roughly.
#[derive(Debug)]
struct Shown {
    /// The brightness of the colour that most of it has: 0 to 255.
    background: u32,
    /// The share that has another colour.
    covered: f64,
    colours: usize,
}

impl Shown {
    fn of(file: &Path) -> Self {
        let mut decoder = png::Decoder::new(BufReader::new(fs::File::open(file).unwrap()));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let mut numbers = std::collections::HashMap::new();
        let pixels = bytes[..frame.buffer_size()].chunks_exact(frame.color_type.samples());
        let all = pixels.len();
        for pixel in pixels {
            *numbers.entry(&pixel[..3]).or_insert(0_usize) += 1;
        }
        let (colour, number) = numbers.iter().max_by_key(|(_, number)| **number).unwrap();
        Self {
            background: colour.iter().map(|part| u32::from(*part)).sum::<u32>() / 3,
            covered: 1.0 - *number as f64 / all as f64,
            colours: numbers.len(),
        }
    }
}
