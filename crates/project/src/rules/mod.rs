//! The rules of a project: read and checked as a whole, and those in force, which follow their files.

mod files;
mod in_force;
mod record;

use std::sync::Arc;

use engine::judge::Ruling;
use model::Digest;
use policy::{PolicySet, Source};
use sandbox::Catalog;

use crate::access::Access;
use crate::layout::ACCESS;
use crate::programs::WorkflowPrograms;
use crate::{Place, Project, ProjectError, limits, text};

pub use in_force::InForce;

/// What an environment's rules and definitions are, read and checked. Reading it writes nothing.
#[derive(Clone)]
pub struct Rules {
    /// Policy.
    pub policy: Arc<PolicySet>,
    /// Roles, and who may act as whom.
    pub access: Arc<Access>,
    /// Digest of the text of the access rules, where there are any.
    pub access_digest: Option<Digest>,
    /// Workflows.
    pub programs: Arc<WorkflowPrograms>,
    /// Actions.
    pub catalog: Arc<Catalog>,
}

impl Rules {
    /// Reads the rules of a place. Outside any project: the policy without rules, which allows what needs no grant; and
    /// nobody holds a role.
    pub fn read(place: &Place) -> Result<Self, ProjectError> {
        let Some(project) = &place.project else {
            let catalog = Arc::new(Catalog::new());
            return Ok(Self {
                policy: Arc::new(compile(&[])?),
                access: Arc::new(Access::nobody()),
                access_digest: None,
                programs: Arc::new(WorkflowPrograms::new(Arc::clone(&catalog), None)),
                catalog,
            });
        };
        let catalog = Arc::new(catalog(project)?);
        let (access, access_digest) = read_access(project)?;
        Ok(Self {
            policy: Arc::new(compile(&policy_sources(project)?)?),
            access: Arc::new(access),
            access_digest,
            programs: Arc::new(WorkflowPrograms::new(Arc::clone(&catalog), Some(project.clone()))),
            catalog,
        })
    }

    /// What the engine judges by.
    fn ruling(&self) -> Ruling {
        Ruling { policy: Arc::clone(&self.policy), roles: Arc::clone(&self.access) as _ }
    }
}

/// The texts of a project's policy.
pub fn policy_sources(project: &Project) -> Result<Vec<Source>, ProjectError> {
    project
        .policy_files()?
        .iter()
        .map(|file| Ok(Source::new(file.display().to_string(), project.read(file)?)))
        .collect()
}

fn compile(sources: &[Source]) -> Result<PolicySet, ProjectError> {
    let (set, findings) = PolicySet::compile(sources);
    set.ok_or(ProjectError::Bad { findings })
}

/// A project's access rules; nobody holds a role where there are none.
pub fn access(project: &Project) -> Result<Access, ProjectError> {
    Ok(read_access(project)?.0)
}

fn read_access(project: &Project) -> Result<(Access, Option<Digest>), ProjectError> {
    let path = project.root.join(ACCESS);
    if !path.exists() {
        return Ok((Access::nobody(), None));
    }
    let text = text::read(&path, ACCESS, limits::FILE_BYTES_MAX)?;
    Ok((Access::parse(&text)?, Some(Digest::of(text.as_bytes()))))
}

fn catalog(project: &Project) -> Result<Catalog, ProjectError> {
    let mut catalog = Catalog::new();
    for action in &project.manifest.actions {
        catalog.add(&action.name, &action.version, action.digest, project.root.join(&action.path))?;
    }
    Ok(catalog)
}
