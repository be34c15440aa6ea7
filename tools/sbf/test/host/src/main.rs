//! The native side of the comparison: reads batches on stdin, prints each batch's result in hex.
//! A batch is a line `SELECTOR HEX`, HEX a sequence of 32-byte inputs.
use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let names: Vec<&str> = sbf_fixture_cases::CASES.iter().map(|case| case.name).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if std::env::args().nth(1).as_deref() == Some("--names") {
        return writeln!(out, "{}", names.join("\n"));
    }
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (selector, hex) = line.split_once(' ').expect("SELECTOR HEX");
        let digits: Vec<u8> = hex.bytes().map(|c| (c as char).to_digit(16).expect("hex") as u8).collect();
        let input: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let result = sbf_fixture_cases::run(selector.parse().expect("a number"), &input);
        let text: String = result.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(out, "{text}")?;
    }
    Ok(())
}
