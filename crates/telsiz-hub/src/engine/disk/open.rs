//! Opening a data directory, and what may be wrong with it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::journal;
use super::log::Extent;
use super::logs::Logs;
use super::options::{DiskOptions, Durability};
use super::tables;
use crate::publication::Epoch;

const DATABASE: &str = "telsiz.db";
const LOG: &str = "telsiz.db-wal";
const UNFINISHED: &str = "telsiz.db.new";
const LOCK: &str = "telsiz.lock";

/// A database up to this size is checked as a whole when it is opened.
const CHECKED: u64 = 256 << 20;

/// The bytes of the database that SQLite keeps in memory for the writer, in KiB.
const PAGES: i64 = 32 << 10;

/// Why a data directory cannot be used. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by another process{}; stop that one or choose another directory",
        dir.display(), pid.map_or(String::new(), |pid| format!(" (pid {pid})"))
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// That process, if it says who it is.
        pid: Option<u32>,
    },
    /// It is something else.
    #[error("{} is not a directory; choose another path for the data", dir.display())]
    NotADirectory {
        /// What was taken for a directory.
        dir: PathBuf,
    },
    /// We may not write there.
    #[error("{} cannot be written ({error}); let the user that the server runs as write there, or choose another directory", path.display())]
    NotWritable {
        /// The directory, or a file in it.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
    /// Nothing more fits on the disk.
    #[error("the disk of the data directory {} is full; free some space and start again", dir.display())]
    Full {
        /// The directory.
        dir: PathBuf,
    },
    /// The file is no database of ours, or not even its beginning can be read.
    #[error(
        "{} is not a database of Telsiz, or it is damaged; restore it from a copy, or move it away to start an empty one", file.display()
    )]
    NotOurs {
        /// The file.
        file: PathBuf,
    },
    /// A newer server wrote it.
    #[error(
        "{} was written by a newer Telsiz (its tables have version {version}, this one knows {known}); start that one",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Of its tables.
        version: i32,
        /// The newest that we know.
        known: i32,
    },
    /// It is not as it was written.
    #[error(
        "the database {} is damaged ({what}); restore the directory from a copy, or move it away to start an empty one",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How.
        what: String,
    },
    /// Its log is there, but not the database.
    #[error(
        "the database {} is missing, but its log is there; put it back, or move the whole directory away to start an empty one",
        file.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// Something else.
    #[error("the data directory {} cannot be opened: {error}", dir.display())]
    Failed {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        error: String,
    },
}

/// A data directory that is open.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) reader: Connection,
    pub(super) epoch: Epoch,
    /// What the journal had.
    pub(super) logs: Logs,
    /// Nobody else has the directory as long as it is there.
    pub(super) lock: Lock,
}

/// The lock of a directory.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is being started just now has it, too,
        // for a moment.
        let _ = self.0.unlock();
    }
}

/// Who says what went wrong, and where.
struct Place<'a> {
    dir: &'a Path,
    file: PathBuf,
}

impl Place<'_> {
    fn system(&self, error: &io::Error) -> OpenError {
        match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                OpenError::NotADirectory {
                    dir: self.dir.into(),
                }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::NotWritable {
                    path: self.dir.into(),
                    error: error.to_string(),
                }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full {
                dir: self.dir.into(),
            },
            _ => OpenError::Failed {
                dir: self.dir.into(),
                error: error.to_string(),
            },
        }
    }

    fn database(&self, error: &rusqlite::Error) -> OpenError {
        let file = self.file.clone();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotOurs { file },
            Some(ErrorCode::DatabaseCorrupt) => self.damaged(error),
            Some(ErrorCode::DiskFull) => OpenError::Full {
                dir: self.dir.into(),
            },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                OpenError::NotWritable {
                    path: file,
                    error: error.to_string(),
                }
            }
            Some(_) => OpenError::Failed {
                dir: self.dir.into(),
                error: error.to_string(),
            },
            // A value of another type than we wrote, or none.
            None => self.damaged(error),
        }
    }

    fn damaged(&self, what: impl ToString) -> OpenError {
        OpenError::Damaged {
            file: self.file.clone(),
            what: what.to_string(),
        }
    }

    fn connect(&self, file: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(file, flags)?;
            connection.set_prepared_statement_cache_capacity(tables::STATEMENTS);
            // What is closed after a failed sync must not be synced again as if it had not failed.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            Ok(connection)
        };
        connect().map_err(|error| self.database(&error))
    }

    fn lock(&self) -> Result<Lock, OpenError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.dir.join(LOCK));
        let mut file = file.map_err(|error| self.system(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                return Err(OpenError::InUse {
                    dir: self.dir.into(),
                    pid: pid.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(self.system(&error)),
        }
        let mut lock = Lock(file);
        let note = lock.0.set_len(0);
        let note = note.and_then(|()| writeln!(lock.0, "{}", std::process::id()));
        note.map_err(|error| self.system(&error))?;
        Ok(lock)
    }

    /// Makes an empty database. It gets its name when it is complete.
    fn create(&self, options: &DiskOptions) -> Result<(), OpenError> {
        let unfinished = self.dir.join(UNFINISHED);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.system(&error));
            }
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = self.connect(&unfinished, flags)?;
        let fill = || {
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = MEMORY; PRAGMA application_id = {}; PRAGMA user_version = {};
                 BEGIN; {} COMMIT;",
                tables::APPLICATION,
                tables::VERSION,
                tables::SCHEMA
            ))?;
            tables::set_meta(&connection, "epoch", Some(&options.name))
        };
        fill().map_err(|error| self.database(&error))?;
        drop(connection);
        // Which SQLite has synced.
        fs::rename(&unfinished, &self.file)
            .and_then(|()| sync_dir(self.dir))
            .map_err(|error| self.system(&error))
    }

    /// Whether it is a database that we can go on with.
    fn check(&self, connection: &Connection) -> Result<(), OpenError> {
        let pragma = |name| {
            let value = connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
            value.map_err(|error| self.database(&error))
        };
        if pragma("application_id")? != tables::APPLICATION {
            return Err(OpenError::NotOurs {
                file: self.file.clone(),
            });
        }
        let version = pragma("user_version")?;
        if version > tables::VERSION {
            return Err(OpenError::Newer {
                file: self.file.clone(),
                version,
                known: tables::VERSION,
            });
        }
        let size = fs::metadata(&self.file).map_err(|error| self.system(&error))?;
        if size.len() <= CHECKED {
            let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
            let found: String = found.map_err(|error| self.database(&error))?;
            if found != "ok" {
                return Err(self.damaged(found));
            }
        }
        Ok(())
    }

    /// Another epoch, if something may be lost that was acknowledged: after a power cut, if
    /// commits did not wait for the disk.
    fn epoch(&self, connection: &Connection, options: &DiskOptions) -> Result<Epoch, OpenError> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let boot = boot.unwrap_or_else(|_| options.name.clone());
        let epoch = || {
            let lost = tables::meta(connection, "unsynced")?.is_some_and(|then| then != boot);
            if lost {
                tables::set_meta(connection, "epoch", Some(&options.name))?;
            }
            let unsynced = (options.durability == Durability::Os).then_some(boot.as_str());
            tables::set_meta(connection, "unsynced", unsynced)?;
            tables::meta(connection, "epoch")
        };
        let epoch = epoch().map_err(|error| self.database(&error))?;
        let epoch = epoch.ok_or_else(|| self.damaged("it has no epoch"))?;
        Ok(Epoch::new(&epoch))
    }

    /// Files what the journal has.
    fn replay(
        &self,
        connection: &Connection,
        epoch: &Epoch,
        options: &DiskOptions,
    ) -> Result<Logs, OpenError> {
        let failed = |error| self.database(&error);
        let mut logs = Logs::new(options.cache_bytes);
        let now = options.clock.now();
        let mut journal = connection
            .prepare("SELECT id, entries FROM journal ORDER BY id")
            .map_err(failed)?;
        let mut commits = journal.query([]).map_err(failed)?;
        while let Some(row) = commits.next().map_err(failed)? {
            let commit: u64 = row.get(0).map_err(failed)?;
            let entries = row.get_ref(1).map_err(failed)?;
            let mut entries = entries.as_blob().map_err(|error| self.damaged(error))?;
            while !entries.is_empty() {
                let (room, entry) = journal::decode(&mut entries, epoch)
                    .ok_or_else(|| self.damaged("its journal cannot be read"))?;
                let keep = options.retention.of(&room);
                let extent = match logs.known(&room, keep, now, None) {
                    Some(known) => known.extent,
                    None => tables::room(connection, &room)
                        .map_err(failed)?
                        .map_or(Extent::EMPTY, |room| room.extent),
                };
                match entry.publication.seq {
                    seq if seq <= extent.head => {}
                    seq if seq == extent.head + 1 => {
                        logs.append(&room, extent, entry, commit, keep);
                    }
                    _ => return Err(self.damaged("its journal has gaps")),
                }
            }
        }
        let all = (usize::MAX, usize::MAX);
        let (filings, _) = logs.filings(&options.retention, now, None, all);
        for filing in filings {
            tables::file(connection, &filing).map_err(failed)?;
            logs.filed(filing);
        }
        tables::cut_journal(connection, None).map_err(failed)?;
        Ok(logs)
    }
}

/// Opens a data directory, or makes one.
pub(super) fn open(dir: &Path, options: &DiskOptions) -> Result<Opened, OpenError> {
    let place = Place {
        dir,
        file: dir.join(DATABASE),
    };
    let system = |error: io::Error| place.system(&error);
    if !dir.is_dir() {
        fs::create_dir_all(dir).map_err(system)?;
        if let Some(parent) = dir.canonicalize().map_err(system)?.parent() {
            sync_dir(parent).map_err(system)?;
        }
    }
    let lock = place.lock()?;
    match fs::metadata(&place.file) {
        Ok(found) if found.len() == 0 => return Err(place.damaged("it is empty")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::metadata(dir.join(LOG)).is_ok_and(|log| log.len() > 0) {
                return Err(OpenError::Missing { file: place.file });
            }
            place.create(options)?;
        }
        Err(error) => return Err(place.system(&error)),
    }
    let writer = place.connect(&place.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let set = |sql: &str| writer.execute_batch(sql).map_err(|e| place.database(&e));
    set(&format!(
        "PRAGMA cache_size = -{PAGES}; PRAGMA temp_store = MEMORY; PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1; PRAGMA wal_autocheckpoint = 0;"
    ))?;
    place.check(&writer)?;
    set("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;")?;
    let epoch = place.epoch(&writer, options)?;
    let logs = place.replay(&writer, &epoch, options)?;
    set("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")?;
    if options.durability == Durability::Os {
        set("PRAGMA synchronous = NORMAL;")?;
    }
    let reader = place.connect(&place.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(Opened {
        writer,
        reader,
        epoch,
        logs,
        lock,
    })
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere directories cannot be synced, and need not be.
#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}
