//! A binary file as the text of a JavaScript module.
//!
//! Base64 spreads every byte over two characters, and gzip no longer sees what repeats: the SDK's
//! module costs a quarter more that way. Here a byte is one character, or two when it is rare, so
//! what gzip makes of the text is within a few per cent of what it makes of the bytes. All characters
//! are ASCII: no page's encoding can break them.

/// A module whose default export is a function that gives these bytes as a `Uint8Array`: importing it
/// does nothing.
pub(crate) fn javascript(bytes: &[u8]) -> String {
    let order = by_frequency(bytes);
    // What follows each other is mostly near each other.
    let mut last = 0;
    let gap = |byte: &u8| (byte - std::mem::replace(&mut last, *byte)).to_string();
    let gaps: Vec<_> = order[..SINGLE].iter().map(gap).collect();
    let text = encode(bytes, &order);
    let pages = (TABLES + text.len()).div_ceil(1 << 16);
    // From 128 on a number has two bytes.
    let pages = u8::try_from(pages).ok().filter(u8::is_ascii).expect("8 MB at most");
    let decoder = [LOOP[0], &[pages], LOOP[1]].concat();
    let decoder: String = decoder.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    DECODER.replace("LOOP", &decoder).replace("GAPS", &gaps.join(",")).replace("TEXT", &text)
}

fn encode(bytes: &[u8], order: &[u8]) -> String {
    let mut ranks = [0; 256];
    for (rank, byte) in order.iter().enumerate() {
        ranks[usize::from(*byte)] = rank;
    }
    let alphabet: Vec<char> = (' '..='~').filter(|c| !['"', '\\'].contains(c)).collect();
    let mut text = String::with_capacity(bytes.len() * 5 / 4);
    for byte in bytes {
        match ranks[usize::from(*byte)].checked_sub(SINGLE) {
            None => text.push(alphabet[PREFIXES + ranks[usize::from(*byte)]]),
            Some(rare) => {
                text.push(alphabet[rare / alphabet.len()]);
                text.push(alphabet[rare % alphabet.len()]);
            }
        }
    }
    text
}

/// All bytes: first the most frequent ones, then the others, each part in ascending order.
fn by_frequency(bytes: &[u8]) -> Vec<u8> {
    let mut counts = [0_usize; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let mut order: Vec<u8> = (0..=u8::MAX).collect();
    order.sort_by_key(|byte| std::cmp::Reverse(counts[usize::from(*byte)]));
    order[..SINGLE].sort_unstable();
    order[SINGLE..].sort_unstable();
    order
}

/// The characters that only announce a second one; two of them reach all rare bytes.
const PREFIXES: usize = 2;
/// How many bytes are written as one character: the printable ASCII characters, without the quote,
/// the backslash and the prefixes.
const SINGLE: usize = 95 - 2 - PREFIXES;
/// Where the text begins in the memory that it is read in; before it are the tables.
const TABLES: usize = 8_192;
/// The text stands outside, where browsers read it once; in a function that is called later they would
/// do so twice. What turns it into bytes is a module itself: JavaScript that runs for the first time is
/// a multiple as slow. A character's byte is in the table where the character is, a rare one's behind 128
/// times its prefix. Each module is ASCII, so that it can be encoded like any text.
const DECODER: &str = r#"const text = "TEXT";
export default () => {
  const encode = (text) => new TextEncoder().encode(text);
  const { m, d } = new WebAssembly.Instance(new WebAssembly.Module(encode("LOOP"))).exports;
  const memory = new Uint8Array(m.buffer);
  let at = 0;
  const order = [...new Set([...[GAPS].map((gap) => (at += gap)), ...Array(256).keys()])];
  at = 0;
  for (let code = 32; code < 127; code++) if (code != 34 && code != 92) {
    memory[code] = order[at - 2];
    memory[4096 + code] = order[at + 91];
    memory[4224 + code] = order[at++ + 184];
  }
  const bytes = encode(text);
  memory.set(bytes, 8192);
  return memory.subarray(8192, d(8192, 8192 + bytes.length));
};
"#;
/// The module of the decoder, as wasm-opt makes it of this:
///
/// ```wat
/// (module
///   (memory (export "m") 0x03)
///   (func (export "d") (param $from i32) (param $end i32) (result i32)
///     (local $at i32) (local $code i32)
///     (local.set $at (local.get $from))
///     (loop $next
///       (if (i32.lt_u (local.get $from) (local.get $end)) (then
///         (local.set $code (i32.load8_u (local.get $from)))
///         (local.set $from (i32.add (local.get $from) (i32.const 1)))
///         (if (i32.lt_u (local.get $code) (i32.const 34)) (then
///           (local.set $code (i32.add
///             (i32.load8_u (local.get $from)) (i32.shl (local.get $code) (i32.const 7))))
///           (local.set $from (i32.add (local.get $from) (i32.const 1)))))
///         (i32.store8 (local.get $at) (i32.load8_u (local.get $code)))
///         (local.set $at (i32.add (local.get $at) (i32.const 1)))
///         (br $next))))
///     (local.get $at)))
/// ```
const LOOP: [&[u8]; 2] = [
    b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x05\x03\x01\0",
    b"\x07\x09\x02\x01m\x02\0\x01d\0\0\x0a\x54\x01\x52\x01\x02\x7f\x20\0\x21\x02\x03\x40\x20\0\x20\x01\
      \x49\x04\x40\x20\0\x2d\0\0\x21\x03\x20\0\x41\x01\x6a\x21\0\x20\x03\x41\x22\x49\x04\x40\x20\0\x2d\
      \0\0\x20\x03\x41\x07\x74\x6a\x21\x03\x20\0\x41\x01\x6a\x21\0\x0b\x20\x02\x20\x03\x2d\0\0\x3a\0\0\
      \x20\x02\x41\x01\x6a\x21\x02\x0c\x01\x0b\x0b\x20\x02\x0b",
];

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::*;

    /// What Node reads out of the module, byte by byte.
    fn decoded(bytes: &[u8]) -> String {
        let mut node = Command::new("node")
            .args(["--input-type=module", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let script = javascript(bytes).replace("export default", "const bytes =");
        let script = format!("{script}console.log(bytes().join());");
        node.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap()
    }

    fn check(bytes: &[u8]) {
        let expected: Vec<_> = bytes.iter().map(u8::to_string).collect();
        assert_eq!(decoded(bytes).trim(), expected.join(","));
    }

    #[test]
    fn javascript_reads_back_every_byte() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        check(&all);
        check(&[all.as_slice(), &[255; 300], &[34; 200], &[92; 100]].concat());
        check(b"");
    }

    #[test]
    fn the_text_is_printable_ascii() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let text = encode(&all, &by_frequency(&all));
        assert!(text.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\'));
    }
}
