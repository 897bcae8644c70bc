//! Who supplies a path, and whom it shadows.

use serde::Serialize;

use super::{kind, size};
use crate::image::ImageError;
use crate::image::union::{Says, Stack, Stat, is_dir, shown_path};

/// What each layer says of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathReport {
    /// `/etc/motd`.
    pub path: String,
    /// Number of the layer that supplies it; none if the union does not show it.
    pub supplied_by: Option<usize>,
    /// The layers that speak of it or of a directory above it, the topmost first.
    pub layers: Vec<Step>,
}

/// What one layer says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Number of the layer.
    pub layer: usize,
    /// What it does.
    pub role: Role,
    /// The path that it has: the whole one, or a directory above that hides it.
    pub at: String,
    /// `file`, `dir` and so on; of a whiteout `whiteout`.
    pub kind: &'static str,
    /// Bytes of a file.
    pub size: u64,
    /// Permission bits, in octal.
    pub mode: String,
}

/// What a layer does for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The union shows this one.
    Supplies,
    /// A directory that is merged into the one shown.
    Merged,
    /// It has the path, but a layer above covers it.
    Shadowed,
    /// It takes the path away from the layers below.
    Hides,
}

/// Follows a path down all layers. Components are names: links are not followed,
/// because a union does not follow them either.
///
/// # Errors
/// When a tree cannot be read.
pub fn follow(stack: &Stack<'_>, path: &[u8]) -> Result<PathReport, ImageError> {
    let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".").collect();
    let whole = parts.join(&b'/');
    let mut steps = Vec::new();
    // Once covered, what is below no longer shows; merged goes on only below a directory.
    let (mut supplied, mut covered, mut merging) = (None, false, false);
    for layer in 0..stack.len() {
        let number = stack.len() - layer;
        let mut at: Vec<u8> = Vec::new();
        let mut covers_from_here = false;
        for (depth, part) in parts.iter().enumerate() {
            let Some(dir) = stack.tree(layer).dir(&at)? else { break };
            let above = shown_path(&at);
            if !at.is_empty() && dir.opaque() && !covered {
                // It hides what is in it below; said when it has not the path itself.
                covers_from_here = true;
            }
            let says = dir.says(part)?;
            if !at.is_empty() {
                at.push(b'/');
            }
            at.extend_from_slice(part);
            let last = depth + 1 == parts.len();
            let step = |role, stat: &Stat, kind| Step {
                layer: number,
                role,
                at: shown_path(&at),
                kind,
                size: size(stat),
                mode: format!("{:04o}", stat.mode),
            };
            match says {
                None => {
                    if covers_from_here && !covered {
                        steps.push(Step {
                            layer: number,
                            role: Role::Hides,
                            at: above,
                            kind: "opaque",
                            size: 0,
                            mode: String::new(),
                        });
                    }
                    break;
                }
                Some(Says::Hides(stat)) => {
                    let role = if covered { Role::Shadowed } else { Role::Hides };
                    steps.push(step(role, &stat, "whiteout"));
                    covers_from_here = true;
                    break;
                }
                Some(Says::Has(stat)) if last => {
                    let role = match (covered, merging) {
                        (false, false) => Role::Supplies,
                        (false, true) if is_dir(&stat) => Role::Merged,
                        _ => Role::Shadowed,
                    };
                    if role == Role::Supplies {
                        supplied = Some(number);
                        merging = is_dir(&stat);
                    }
                    steps.push(step(role, &stat, kind(&stat)));
                    covers_from_here |= !is_dir(&stat) || dir_is_opaque(stack, layer, &at)?;
                }
                // A file or a link where the path needs a directory hides the rest.
                Some(Says::Has(stat)) if !is_dir(&stat) => {
                    let role = if covered { Role::Shadowed } else { Role::Hides };
                    steps.push(step(role, &stat, kind(&stat)));
                    covers_from_here = true;
                    break;
                }
                Some(Says::Has(_)) => {}
            }
        }
        covered |= covers_from_here;
    }
    Ok(PathReport { path: shown_path(&whole), supplied_by: supplied, layers: steps })
}

fn dir_is_opaque(stack: &Stack<'_>, layer: usize, path: &[u8]) -> Result<bool, ImageError> {
    Ok(stack.tree(layer).dir(path)?.is_some_and(|d| d.opaque()))
}
