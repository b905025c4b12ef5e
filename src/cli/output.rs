//! Where a report goes: each format to its file or to standard output. Files are opened before the first packet.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::OutputArgs;
use crate::page::{self, Detail};
use crate::report::Report;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

const FORMATS: &str = "text, json";

pub struct Outputs {
    formats: Vec<(Format, Option<(PathBuf, File)>)>,
    detail: Detail,
}

impl Outputs {
    /// Opens what was asked for.
    ///
    /// # Errors
    /// A sentence that names the format or the file.
    pub fn open(args: &OutputArgs) -> Result<Outputs, String> {
        let mut formats: Vec<(Format, Option<(PathBuf, File)>)> = Vec::new();
        for text in &args.format {
            let (name, file) = match text.split_once('=') {
                Some((_, "")) => return Err(format!("--format {text}: no file after the `=`")),
                // As elsewhere, `-` is the standard stream.
                Some((name, "-")) => (name, None),
                Some((name, file)) => (name, Some(Path::new(file))),
                None => (text.as_str(), None),
            };
            let format = match name {
                "text" => Format::Text,
                "json" => Format::Json,
                _ => {
                    return Err(format!(
                        "--format {}: the choices are {FORMATS}, each as FORMAT or FORMAT=FILE",
                        crate::rules::clip(text)
                    ));
                }
            };
            let twice = |path: &Path| formats.iter().flat_map(|(_, file)| file).any(|(known, _)| known == path);
            if let Some(path) = file.filter(|path| twice(path)) {
                return Err(format!("--format {text}: {} is the file of another format already", path.display()));
            }
            let file = file.map(create).transpose()?;
            if file.is_none() && formats.iter().any(|(_, file)| file.is_none()) {
                return Err(
                    "--format: only one format can go to standard output; give the others a file, as json=FILE"
                        .to_owned(),
                );
            }
            formats.push((format, file));
        }
        if formats.is_empty() {
            formats.push((Format::Text, None));
        }
        if let Some(path) = args.output.as_ref().filter(|path| path.as_os_str() != "-") {
            let Some(first) = formats.iter_mut().find(|(_, file)| file.is_none()) else {
                return Err(format!("--output {}: every format has a file already; drop one of them", path.display()));
            };
            first.1 = Some(create(path)?);
        }
        let detail = match (args.quiet, args.verbose) {
            (true, _) => Detail::Quiet,
            (_, 0) => Detail::Plain,
            _ => Detail::Verbose,
        };
        Ok(Outputs { formats, detail })
    }

    /// Writes the report everywhere.
    ///
    /// # Errors
    /// As [`Outputs::write`].
    pub fn report(self, report: &Report) -> Result<(), String> {
        self.write(|detail, width| page::text(report, detail, width), || page::json(report))
    }

    /// Writes a page everywhere, as text of some detail and width or as JSON.
    ///
    /// # Errors
    /// The file that could not be written, with the reason. A reader that went away is no error.
    pub fn write(self, text: impl Fn(Detail, usize) -> String, json: impl Fn() -> String) -> Result<(), String> {
        let mut first = Ok(());
        for (format, file) in self.formats {
            let written = match file {
                Some((path, mut file)) => {
                    let text = match format {
                        Format::Text => plain(&text(self.detail, 100)),
                        Format::Json => json(),
                    };
                    file.write_all(text.as_bytes())
                        .and_then(|()| file.sync_all())
                        .map_err(|error| format!("{}: {error}", path.display()))
                }
                None => {
                    let mut stdout = anstream::stdout();
                    let text = match format {
                        Format::Text if speaks_utf8() => text(self.detail, width()),
                        Format::Text => page::plain_typography(&text(self.detail, width())),
                        Format::Json => json(),
                    };
                    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                            Err(format!("standard output: {error}"))
                        }
                        _ => Ok(()),
                    }
                }
            };
            // One file that cannot be written must not cost the other formats.
            first = first.and(written);
        }
        first
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// What the locale says of the terminal's encoding, in the order in which POSIX reads it.
fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(crate::target::environment::variable);
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

/// The terminal's width, or a hundred columns for whoever reads a file.
fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return 100;
    }
    terminal_size::terminal_size().map_or(100, |(terminal_size::Width(columns), _)| usize::from(columns).clamp(40, 140))
}

/// A report may name what an attacker would like to know: a new file is for its owner's eyes. One that is there keeps the mode that somebody
/// chose for it.
fn create(path: &Path) -> Result<(PathBuf, File), String> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    // Opening a FIFO would wait for its reader.
    if std::fs::metadata(path).is_ok_and(|known| known.file_type().is_fifo()) {
        return Err(format!("{}: is a FIFO; name a file, or send the report through standard output", path.display()));
    }
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.map(|file| (path.to_owned(), file)).map_err(|error| {
        format!("{}: {error}; the report needs a file that can be written, nothing was probed", path.display())
    })
}
