//! The journal's files: numbered, read in order, written at the end of the newest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::record::{self, Head, Record};

/// The directory of the journal's files.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    path: PathBuf,
}

/// The file that is written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    file: File,
    pub(super) bytes: u64,
    /// How far the file reaches: behind what was written are zeros.
    reach: u64,
}

impl Segments {
    /// Opens the directory, and creates it, for this user alone, if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The numbers of all files, in order.
    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What these files hold together, in bytes.
    pub(super) fn size(&self, numbers: &[u64]) -> io::Result<u64> {
        numbers.iter().map(|number| Ok(fs::metadata(self.file(*number))?.len())).sum()
    }

    /// Hands every whole record of a file to `handle`. Reading ends at the first that is not whole;
    /// the bytes from there on, which are nothing that was ever acknowledged if the file is the
    /// newest. Zeros alone, to the end, are room for more.
    pub(super) fn read(&self, number: u64, mut handle: impl FnMut(Record)) -> io::Result<u64> {
        let file = File::open(self.file(number))?;
        let size = file.metadata()?.len();
        let mut file = BufReader::with_capacity(READ_BUFFER, file);
        let mut good = 0;
        let mut body = Vec::new();
        let mut magic = [0; MAGIC.len()];
        if !read_whole(&mut file, &mut magic)? {
            return Ok(size);
        }
        if magic == [0; MAGIC.len()] {
            // A crash can leave a file's length on the disk and nothing of what was in it.
            return Ok(size);
        }
        if magic != *MAGIC {
            return Err(self.foreign(number));
        }
        good += MAGIC.len() as u64;
        loop {
            let mut head = [0; Head::SIZE];
            if !read_whole(&mut file, &mut head)? {
                break;
            }
            let head = Head::read(head);
            if u64::from(head.length) > size - good {
                break;
            }
            body.resize(head.length as usize, 0);
            if !read_whole(&mut file, &mut body)? || !head.fits(&body) {
                break;
            }
            handle(record::read(&body).ok_or_else(|| self.foreign(number))?);
            good += (Head::SIZE + body.len()) as u64;
        }
        if self.is_blank(number, good)? { Ok(0) } else { Ok(size - good) }
    }

    /// Whether a file has nothing but zeros from there on.
    fn is_blank(&self, number: u64, from: u64) -> io::Result<bool> {
        let mut file = BufReader::with_capacity(READ_BUFFER, File::open(self.file(number))?);
        file.seek(SeekFrom::Start(from))?;
        loop {
            let bytes = file.fill_buf()?;
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                return Ok(bytes.is_empty());
            }
            let count = bytes.len();
            file.consume(count);
        }
    }

    /// Begins a file.
    pub(super) fn create(&self, number: u64) -> io::Result<Segment> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.file(number))?;
        let mut segment = Segment { number, file, bytes: 0, reach: 0 };
        segment.write(MAGIC)?;
        // The name of a file is on disk when its directory is.
        self.sync()?;
        Ok(segment)
    }

    /// Cuts so many bytes off the end of a file.
    pub(super) fn cut(&self, number: u64, lost: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.file(number))?;
        file.set_len(file.metadata()?.len().saturating_sub(lost))?;
        file.sync_all()
    }

    /// Keeps a file that is not to be read again, for somebody to look into.
    pub(super) fn set_aside(&self, number: u64) -> io::Result<()> {
        let file = self.file(number);
        fs::rename(&file, file.with_extension("damaged"))
    }

    /// Deletes a file.
    pub(super) fn delete(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.file(number))
    }

    /// Notes that the server runs without the journal: what is in it has an end that readers may
    /// have gone beyond.
    pub(super) fn note_interruption(&self) -> io::Result<()> {
        File::create(self.path.join(INTERRUPTED))?;
        self.sync()
    }

    /// Whether the server has run without the journal since it was last written.
    pub(super) fn was_interrupted(&self) -> io::Result<bool> {
        self.path.join(INTERRUPTED).try_exists()
    }

    /// The journal is written again.
    pub(super) fn forget_interruption(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(INTERRUPTED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn foreign(&self, number: u64) -> io::Error {
        let file = self.file(number);
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} was not written by this version of the server", file.display()),
        )
    }

    fn sync(&self) -> io::Result<()> {
        // Elsewhere a directory cannot be opened as a file, and need not be.
        #[cfg(unix)]
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:010}{SUFFIX}"))
    }
}

impl Segment {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Lengthens the file by zeros where it ends, so that what is written next takes their place: then a
    /// sync is about these bytes alone, and not also about the file's length, which the disk keeps
    /// elsewhere. Nothing is wrong if the disk has no such room.
    pub(super) fn make_room(&mut self) -> io::Result<()> {
        if self.bytes >= self.reach {
            self.file.write_all(&vec![0; ROOM]).ok();
            self.file.seek(SeekFrom::Start(self.bytes))?;
            self.reach = self.bytes + ROOM as u64;
        }
        Ok(())
    }

    /// Gives back what it takes of the disk.
    pub(super) fn empty(&self) -> io::Result<()> {
        self.file.set_len(0)
    }

    /// Returns when all that was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Whether there were enough bytes.
fn read_whole(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// What every file begins with; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"xano-rt1";
const SUFFIX: &str = ".journal";
const INTERRUPTED: &str = "interrupted";
/// How much a file is lengthened by, in bytes.
const ROOM: usize = 256 << 10;
const READ_BUFFER: usize = 1 << 20;
