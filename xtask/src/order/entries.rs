//! The functions of a program, by address.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// One function.
pub struct Entry {
    /// As the linker knows it.
    pub name: String,
    /// Its code.
    pub code: Vec<u8>,
}

/// All functions of a program, by their addresses before it is loaded.
pub struct Entries(BTreeMap<u64, Entry>);

impl Entries {
    /// Reads them from an ELF file's symbol table.
    pub fn read(file: &Path) -> Result<Self> {
        let data = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
        let elf =
            object::File::parse(&*data).with_context(|| format!("failed to read {}", file.display()))?;
        let text = elf.section_by_name(".text").context("the program has no .text")?;
        let functions = elf.symbols().filter(|s| {
            s.kind() == SymbolKind::Text && s.size() > 0 && s.section_index() == Some(text.index())
        });
        let mut entries = BTreeMap::new();
        for symbol in functions {
            let code = text.data_range(symbol.address(), symbol.size())?.unwrap_or_default();
            if !code.is_empty() {
                let name = symbol.name()?.to_owned();
                entries.entry(symbol.address()).or_insert(Entry { name, code: code.to_owned() });
            }
        }
        ensure!(!entries.is_empty(), "{} has no symbols of functions", file.display());
        Ok(Entries(entries))
    }

    /// The function that begins at an address.
    ///
    /// # Panics
    /// Where none begins there.
    pub fn at(&self, address: u64) -> &Entry {
        &self.0[&address]
    }

    /// The addresses.
    pub fn addresses(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|e| e.name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
