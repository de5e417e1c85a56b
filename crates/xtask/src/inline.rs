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
    let frequent: Vec<_> = order[..SINGLE].iter().map(u8::to_string).collect();
    DECODER
        .replace("LENGTH", &bytes.len().to_string())
        .replace("FREQUENT", &frequent.join(","))
        .replace("TEXT", &encode(bytes, &order))
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
/// The text stands outside, where browsers read it once; in a function that is called later they would
/// do so twice. The loop is made for the time before they have made it fast.
const DECODER: &str = r#"const text = "TEXT";
export default () => {
  const order = Uint8Array.from(new Set([FREQUENT, ...Array(256).keys()]));
  const ranks = new Uint8Array(127);
  let at = 0;
  for (let code = 32; code < 127; code++) if (code != 34 && code != 92) ranks[code] = at++;
  const singles = ranks.map((rank) => order[rank - 2]);
  const bytes = new TextEncoder().encode(text);
  at = 0;
  for (let from = 0; from < bytes.length; from++) {
    const code = bytes[from];
    bytes[at++] = code > 33 ? singles[code] : order[93 * code - 2885 + ranks[bytes[++from]]];
  }
  return bytes.subarray(0, at);
};
"#;

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
