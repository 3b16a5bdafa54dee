//! How values are written: `print`, `printf`, and what an action leaves in the text.

use crate::data::Data;
use crate::limits::STRING_BYTES;
use crate::number::Number;

/// Widest field and most digits of a `printf` verb.
const WIDTH_MAX: usize = 10_000;

/// A value as `%v` writes it.
pub(super) fn plain(value: &Data) -> String {
    match value {
        Data::Null => "<nil>".to_owned(),
        Data::Bool(b) => b.to_string(),
        Data::Number(n) => number(n),
        Data::String(s) => s.clone(),
        Data::Bytes(b) => {
            format!("[{}]", b.iter().map(u8::to_string).collect::<Vec<_>>().join(" "))
        }
        Data::List(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Data::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            let all: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{}", plain(value))).collect();
            format!("map[{}]", all.join(" "))
        }
    }
}

fn number(n: &Number) -> String {
    if n.is_int() { n.to_string() } else { general(n.to_f64(), None) }
}

/// The shortest digits that are this number, or as many as `precision` says; with an exponent where that is below -4 or
/// not below the precision, which counts as 6 for the shortest digits.
pub(in crate::builtin) fn general(x: f64, precision: Option<usize>) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let scientific = match precision {
        None => format!("{x:e}"),
        Some(p) => format!("{x:.*e}", p.saturating_sub(1)),
    };
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let most = precision.map_or(6, |p| i64::try_from(p.max(1)).unwrap_or(i64::MAX));
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    if exponent < -4 || exponent >= most {
        return with_exponent(digits, exponent);
    }
    let places = digits.trim_start_matches('-').replace('.', "").len();
    let places = i64::try_from(places).unwrap_or(0) - 1 - exponent;
    format!("{x:.*}", usize::try_from(places).unwrap_or(0))
}

pub(in crate::builtin) fn with_exponent(digits: &str, exponent: i64) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Values next to each other; a space only between two that are not text.
pub(super) fn print(args: &[Data]) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        let text = |d: &Data| matches!(d, Data::String(_));
        if i > 0 && !text(arg) && !text(&args[i - 1]) {
            out.push(' ');
        }
        out.push_str(&plain(arg));
    }
    out
}

pub(super) fn println(args: &[Data]) -> String {
    args.iter().map(plain).collect::<Vec<_>>().join(" ") + "\n"
}

#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// `printf`.
pub(super) fn printf(format: &str, args: &[Data]) -> Result<String, String> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '#' => verb.sharp = true,
                '0' => verb.zero = true,
                _ => verb.space = true,
            }
        }
        let mut count =
            |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<Option<usize>, String> {
                if chars.next_if_eq(&'*').is_some() {
                    return match args.next() {
                        Some(Data::Number(n)) => {
                            n.to_string().parse().map(Some).map_err(|_| "bad width".to_owned())
                        }
                        _ => Err("printf: * needs an int".to_owned()),
                    };
                }
                let mut digits = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                if digits.is_empty() {
                    Ok(None)
                } else {
                    digits.parse().map(Some).map_err(|_| "bad width".to_owned())
                }
            };
        verb.width = count(&mut chars)?.unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            verb.precision = Some(count(&mut chars)?.unwrap_or(0));
        }
        if verb.width.max(verb.precision.unwrap_or(0)) > WIDTH_MAX {
            return Err(format!("printf: widths end at {WIDTH_MAX}"));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => match args.next() {
                None => out.push_str(&format!("%!{letter}(MISSING)")),
                Some(arg) => out.push_str(&verb.write(letter, arg)),
            },
        }
        if out.len() > STRING_BYTES {
            return Err("printf: the text is too long".to_owned());
        }
    }
    let rest: Vec<String> = args.map(|arg| format!("{}={}", kind(arg), plain(arg))).collect();
    if !rest.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", rest.join(", ")));
    }
    Ok(out)
}

fn kind(value: &Data) -> &'static str {
    match value {
        Data::Null => "<nil>",
        Data::Bool(_) => "bool",
        Data::Number(n) if n.is_int() => "int",
        Data::Number(_) => "float64",
        Data::String(_) => "string",
        Data::Bytes(_) => "[]uint8",
        Data::List(_) => "[]interface {}",
        Data::Object(_) => "map[string]interface {}",
    }
}

impl Verb {
    fn write(&self, letter: char, arg: &Data) -> String {
        let text = match (letter, arg) {
            ('v', Data::Number(n)) => self.signed(&number(n)),
            ('v', arg) => plain(arg),
            ('d', Data::Number(n)) if n.is_int() => self.signed(&n.to_string()),
            ('T', arg) => kind(arg).to_owned(),
            ('t', Data::Bool(b)) => b.to_string(),
            ('s', Data::String(s)) => self.cut(s),
            ('s', Data::Bytes(b)) => self.cut(&String::from_utf8_lossy(b)),
            ('q', Data::String(s)) => crate::syntax::literal::quote(s),
            ('c', Data::Number(n)) => code_point(n).map_or_else(|| "\u{fffd}".to_owned(), String::from),
            ('U', Data::Number(n)) if n.is_int() => format!("U+{:04X}", code_point(n).map_or(0, u32::from)),
            ('x' | 'X', Data::String(s)) => self.hex(s.as_bytes(), letter),
            ('x' | 'X', Data::Bytes(b)) => self.hex(b, letter),
            ('x' | 'X' | 'o' | 'b', Data::Number(n)) if n.is_int() => self.radix(n, letter),
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Data::Number(n)) if !n.is_int() => {
                self.float(n.to_f64(), letter)
            }
            ('s' | 'd' | 'q' | 'x', Data::List(items)) => {
                let each: Vec<String> = items.iter().map(|item| self.write(letter, item)).collect();
                return format!("[{}]", each.join(" "));
            }
            (letter, Data::Null) => format!("%!{letter}(<nil>)"),
            (letter, arg) => format!("%!{letter}({}={})", kind(arg), plain(arg)),
        };
        let length = text.chars().count();
        let pad = self.width.saturating_sub(length);
        if self.minus {
            return text + &" ".repeat(pad);
        }
        if !self.zero {
            return " ".repeat(pad) + &text;
        }
        let at = usize::from(matches!(arg, Data::Number(_)) && text.starts_with(['-', '+']));
        format!("{}{}{}", &text[..at], "0".repeat(pad), &text[at..])
    }

    fn signed(&self, text: &str) -> String {
        match (text.starts_with('-'), self.plus, self.space) {
            (false, true, _) => format!("+{text}"),
            (false, false, true) => format!(" {text}"),
            _ => text.to_owned(),
        }
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn hex(&self, bytes: &[u8], letter: char) -> String {
        let text = if letter == 'X' { hex::encode_upper(bytes) } else { hex::encode(bytes) };
        if self.sharp { format!("0{letter}{text}") } else { text }
    }

    fn radix(&self, n: &Number, letter: char) -> String {
        let Some(n) = n.as_int() else { return String::new() };
        let (text, prefix) = match letter {
            'x' => (n.to_str_radix(16), "0x"),
            'X' => (n.to_str_radix(16).to_uppercase(), "0X"),
            'o' => (n.to_str_radix(8), "0"),
            _ => (n.to_str_radix(2), "0b"),
        };
        let text = match (self.sharp, text.strip_prefix('-')) {
            (false, _) => text,
            (true, Some(digits)) => format!("-{prefix}{digits}"),
            (true, None) => format!("{prefix}{text}"),
        };
        self.signed(&text)
    }

    fn float(&self, x: f64, letter: char) -> String {
        let text = match letter {
            'f' | 'F' => format!("{x:.*}", self.precision.unwrap_or(6)),
            'e' | 'E' => {
                let text = format!("{x:.*e}", self.precision.unwrap_or(6));
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                with_exponent(digits, exponent.parse().unwrap_or(0))
            }
            _ => general(x, self.precision),
        };
        self.signed(&if letter.is_uppercase() { text.to_uppercase() } else { text })
    }
}

fn code_point(n: &Number) -> Option<char> {
    char::from_u32(u32::try_from(n.as_int()?).ok()?)
}
