//! Asking providers until they know, and doing what they say: the rounds between a provider and a target.

use std::collections::HashMap;

use model::{Coded, Problem};
use plan::{Held, Name, Observed};
use serde_json::Value;

use crate::ProviderError;
use crate::description::TypeDescription;
use crate::exchange::{
    Answer, Application, Attributes, Change, Inspection, Op, Operation, Outcome, Query, Question,
};
use crate::limits::{APPLY_ROUNDS_MAX, ASKED_MAX, RESOURCES_MAX, ROUNDS_MAX, TEXT_BYTES_MAX};
use crate::needs::Needs;
use crate::seam::{Provider, Target};

/// Resources of one type on one target.
pub struct Group<'a> {
    /// Who knows the type.
    pub provider: &'a dyn Provider,
    /// The type.
    pub kind: &'a TypeDescription,
    /// Declared attributes of each; defaults are added here.
    pub configs: Vec<Attributes>,
}

/// What a resource is.
#[derive(Debug, Clone, PartialEq)]
pub enum Inspected {
    /// Not there.
    Absent,
    /// There.
    Present(Attributes),
    /// It cannot be told.
    Unreadable(ProviderError),
}

impl Inspected {
    /// The same for planning. `held` turns a value into what may be kept of it: a keyed digest where it is secret.
    pub fn observed(self, held: impl Fn(&Name, Value) -> Held) -> Observed {
        match self {
            Self::Absent => Observed::Absent,
            Self::Unreadable(error) => Observed::Unreadable(error.problem()),
            Self::Present(attributes) => {
                let mut all = std::collections::BTreeMap::new();
                for (name, value) in attributes {
                    match name.parse::<Name>() {
                        Ok(name) => all.insert(name.clone(), held(&name, value)),
                        Err(error) => return Observed::Unreadable(Problem::runtime(error.to_string())),
                    };
                }
                Observed::Present(all)
            }
        }
    }
}

/// The queries of all resources in one round, each once, however many ask it.
#[derive(Default)]
struct Asked {
    queries: Vec<Query>,
    places: HashMap<Query, usize>,
}

impl Asked {
    fn place(&mut self, query: Query) -> usize {
        let next = self.queries.len();
        *self.places.entry(query).or_insert_with_key(|query| {
            self.queries.push(query.clone());
            next
        })
    }
}

/// What one group knows so far.
struct Survey<'g, 'a> {
    group: &'g Group<'a>,
    needs: Vec<Needs>,
    questions: Vec<Question>,
    answers: Vec<Answer>,
    /// Where an answer of the target stands in `answers`, by its place among all.
    known: HashMap<usize, u32>,
    results: Vec<Option<Inspected>>,
}

impl<'g, 'a> Survey<'g, 'a> {
    fn new(group: &'g Group<'a>) -> Self {
        let configs = group.configs.iter().map(|config| group.kind.complete(config.clone()));
        let questions: Vec<_> = configs.map(|config| Question { config, asked: Vec::new() }).collect();
        let needs = questions.iter().map(|question| Needs::of(group.kind, &question.config)).collect();
        let results = vec![None; questions.len()];
        Self { group, needs, questions, answers: Vec::new(), known: HashMap::new(), results }
    }

    fn fail(&mut self, error: &ProviderError) {
        for result in self.results.iter_mut().filter(|result| result.is_none()) {
            *result = Some(Inspected::Unreadable(error.clone()));
        }
    }

    fn open(&self) -> Vec<usize> {
        (0..self.results.len()).filter(|&at| self.results[at].is_none()).collect()
    }

    /// Calls the provider for what is open, and answers what else has to be known: resource and place of the query.
    async fn call(&mut self, asked: &mut Asked) -> Vec<(usize, usize)> {
        let open = self.open();
        let mut wanted = Vec::new();
        if open.is_empty() {
            return wanted;
        }
        let questions: Vec<_> = open.iter().map(|&at| self.questions[at].clone()).collect();
        let kind = self.group.kind.name.as_str();
        let inspections = match self.group.provider.inspect(kind, &questions, &self.answers).await {
            Ok(inspections) if inspections.len() == open.len() => inspections,
            Ok(inspections) => {
                let why = format!("{} answers to {} questions", inspections.len(), open.len());
                self.fail(&broken(self.group.provider, why));
                return wanted;
            }
            Err(error) => {
                self.fail(&error);
                return wanted;
            }
        };
        for (at, inspection) in open.into_iter().zip(inspections) {
            self.results[at] = match inspection {
                Inspection::Absent => Some(Inspected::Absent),
                Inspection::Present(attributes) => Some(Inspected::Present(attributes)),
                Inspection::Unreadable(problem) => Some(Inspected::Unreadable(said(&problem))),
                Inspection::More(queries) => match self.admit(at, &queries) {
                    Ok(()) => {
                        wanted.extend(queries.into_iter().map(|query| (at, asked.place(query))));
                        None
                    }
                    Err(error) => Some(Inspected::Unreadable(error)),
                },
            };
        }
        wanted
    }

    fn admit(&self, at: usize, queries: &[Query]) -> Result<(), ProviderError> {
        if queries.is_empty() || queries.len() > ASKED_MAX {
            let why =
                format!("{} queries for one resource; from 1 to {ASKED_MAX} are possible", queries.len());
            return Err(broken(self.group.provider, why));
        }
        queries.iter().try_for_each(|query| {
            self.needs[at]
                .allow_query(query)
                .map_err(|what| undeclared(self.group.provider, self.group.kind, what))
        })
    }

    fn learn(&mut self, at: usize, place: usize, answer: &Answer) {
        let answers = &mut self.answers;
        let index = *self.known.entry(place).or_insert_with(|| {
            answers.push(answer.clone());
            index(answers.len() - 1)
        });
        self.questions[at].asked.push(index);
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("lists are limited to far less")
}

fn broken(provider: &dyn Provider, why: String) -> ProviderError {
    ProviderError::BadAnswer { provider: provider.name().to_owned(), why }
}

fn undeclared(provider: &dyn Provider, kind: &TypeDescription, what: String) -> ProviderError {
    ProviderError::NotDeclared { provider: provider.name().to_owned(), kind: kind.name.to_string(), what }
}

fn said(problem: &str) -> ProviderError {
    let class = crate::exchange::FailureClass::Permanent;
    ProviderError::Failed(crate::exchange::Failure { class, problem: cut(problem) })
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// What every resource of every group is. Each round is one call of [`Target::ask`] with what all of them want to know,
/// every question once: most types need one round, whatever the number of resources.
///
/// The order of the results is that of the groups and their configurations. What goes wrong is in the result of the
/// resources it concerns.
pub async fn inspect(groups: &[Group<'_>], target: &dyn Target) -> Vec<Vec<Inspected>> {
    let mut surveys: Vec<_> = groups.iter().map(Survey::new).collect();
    for survey in &mut surveys {
        if survey.questions.len() > RESOURCES_MAX {
            let why = format!(
                "{} resources in one call; at most {RESOURCES_MAX} are possible",
                survey.questions.len()
            );
            survey.fail(&broken(survey.group.provider, why));
        }
    }
    for _ in 0..ROUNDS_MAX {
        let mut asked = Asked::default();
        let mut wanted = Vec::new();
        for (which, survey) in surveys.iter_mut().enumerate() {
            wanted.extend(survey.call(&mut asked).await.into_iter().map(|(at, place)| (which, at, place)));
            // places are those of one round
            survey.known.clear();
        }
        if wanted.is_empty() {
            break;
        }
        let answers = match target.ask(&asked.queries).await {
            Ok(answers) if answers.len() == asked.queries.len() => answers,
            Ok(answers) => {
                let why = format!("{} answers to {} queries", answers.len(), asked.queries.len());
                for survey in &mut surveys {
                    survey.fail(&broken(survey.group.provider, why.clone()));
                }
                break;
            }
            Err(error) => {
                for survey in &mut surveys {
                    survey.fail(&error);
                }
                break;
            }
        };
        for (which, at, place) in wanted {
            surveys[which].learn(at, place, &answers[place]);
        }
    }
    for survey in &mut surveys {
        let error = broken(survey.group.provider, format!("it still asks after {ROUNDS_MAX} rounds"));
        survey.fail(&error);
    }
    surveys.into_iter().map(|survey| survey.results.into_iter().flatten().collect()).collect()
}

/// Changes on their way.
struct Work<'a> {
    provider: &'a dyn Provider,
    kind: &'a TypeDescription,
    needs: Vec<Needs>,
    changes: Vec<Change>,
    answers: Vec<Answer>,
    results: Vec<Option<Result<Outcome, ProviderError>>>,
}

/// What one change asks for in a round.
struct Asking {
    at: usize,
    /// The change whose operations are carried out for it: itself, or the one it joined.
    leader: usize,
}

impl Work<'_> {
    fn fail(&mut self, error: &ProviderError) {
        for result in self.results.iter_mut().filter(|result| result.is_none()) {
            *result = Some(Err(error.clone()));
        }
    }

    async fn call(&mut self) -> Result<(Vec<Asking>, HashMap<usize, Vec<Op>>), ProviderError> {
        let open: Vec<usize> = (0..self.results.len()).filter(|&at| self.results[at].is_none()).collect();
        let (mut asking, mut lists) = (Vec::new(), HashMap::new());
        if open.is_empty() {
            return Ok((asking, lists));
        }
        let changes: Vec<_> = open.iter().map(|&at| self.changes[at].clone()).collect();
        let applications = self.provider.apply(self.kind.name.as_str(), &changes, &self.answers).await?;
        if applications.len() != open.len() {
            let why = format!("{} answers to {} changes", applications.len(), open.len());
            return Err(broken(self.provider, why));
        }
        let mut joined = Vec::new();
        for (at, application) in open.iter().copied().zip(applications) {
            match application {
                Application::Done(outcome) => self.results[at] = Some(Ok(outcome)),
                Application::Failed(mut failure) => {
                    failure.problem = cut(&failure.problem);
                    self.results[at] = Some(Err(ProviderError::Failed(failure)));
                }
                Application::Join(with) => joined.push((at, with)),
                Application::More(ops) => match self.admit(at, &ops) {
                    Ok(()) => {
                        asking.push(Asking { at, leader: at });
                        lists.insert(at, ops);
                    }
                    Err(error) => self.results[at] = Some(Err(error)),
                },
            }
        }
        for (at, with) in joined {
            match open.get(with as usize) {
                Some(leader) if lists.contains_key(leader) => asking.push(Asking { at, leader: *leader }),
                _ => {
                    let why = format!("a change joins one that asks for nothing (number {with})");
                    self.results[at] = Some(Err(broken(self.provider, why)));
                }
            }
        }
        Ok((asking, lists))
    }

    fn admit(&self, at: usize, ops: &[Op]) -> Result<(), ProviderError> {
        if ops.is_empty() || ops.len() > ASKED_MAX {
            let why = format!("{} operations for one change; from 1 to {ASKED_MAX} are possible", ops.len());
            return Err(broken(self.provider, why));
        }
        ops.iter().try_for_each(|op| {
            self.needs[at].allow(op).map_err(|what| undeclared(self.provider, self.kind, what))
        })
    }
}

/// What a change of a type needs: for what is declared, and for what was there before.
pub fn needs_of(kind: &TypeDescription, change: &Change) -> Needs {
    let mut values = change.prior.clone();
    values.extend(change.desired.clone());
    Needs::of(kind, &values)
}

/// Makes changes to resources of one type on one target. Each has its result, in the order of `changes`; what was under
/// way when the target was lost says that it is uncertain.
pub async fn apply(
    provider: &dyn Provider,
    kind: &TypeDescription,
    target: &dyn Target,
    changes: Vec<Change>,
) -> Vec<Result<Outcome, ProviderError>> {
    let changes: Vec<_> = changes
        .into_iter()
        .map(|change| {
            // what is deleted is not declared any more; defaults would say otherwise
            let desired = match change.operation {
                Operation::Delete => change.desired,
                _ => kind.complete(change.desired),
            };
            Change { desired, asked: Vec::new(), ..change }
        })
        .collect();
    let needs = changes.iter().map(|change| needs_of(kind, change)).collect();
    let results = vec![None; changes.len()];
    let mut work = Work { provider, kind, needs, changes, answers: Vec::new(), results };
    if work.changes.len() > RESOURCES_MAX {
        let why = format!("{} changes in one call; at most {RESOURCES_MAX} are possible", work.changes.len());
        work.fail(&broken(provider, why));
    }
    for _ in 0..APPLY_ROUNDS_MAX {
        if let Err(error) = round(&mut work, target).await {
            work.fail(&error);
        }
        if work.results.iter().all(Option::is_some) {
            break;
        }
    }
    work.fail(&broken(provider, format!("it still asks after {APPLY_ROUNDS_MAX} rounds")));
    work.results.into_iter().flatten().collect()
}

async fn round(work: &mut Work<'_>, target: &dyn Target) -> Result<(), ProviderError> {
    let (asking, mut by_leader) = work.call().await?;
    if asking.is_empty() {
        return Ok(());
    }
    let mut leaders: Vec<usize> = by_leader.keys().copied().collect();
    leaders.sort_unstable();
    let lists: Vec<Vec<Op>> =
        leaders.iter().map(|leader| by_leader.remove(leader).unwrap_or_default()).collect();
    let answered = target.carry_out(&lists).await?;
    let complete = answered.len() == lists.len()
        && answered.iter().zip(&lists).all(|(answers, ops)| answers.len() == ops.len());
    if !complete {
        return Err(broken(work.provider, "the target did not answer every operation".to_owned()));
    }
    let mut places = HashMap::new();
    for (leader, answers) in leaders.into_iter().zip(answered) {
        let first = work.answers.len();
        work.answers.extend(answers);
        places.insert(leader, (index(first)..index(work.answers.len())).collect::<Vec<u32>>());
    }
    for Asking { at, leader } in asking {
        if let Some(places) = places.get(&leader) {
            work.changes[at].asked.extend(places);
        }
    }
    Ok(())
}

impl std::fmt::Display for Inspected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Present(attributes) => write!(f, "present, {} attributes", attributes.len()),
            Self::Unreadable(error) => write!(f, "unreadable ({}): {error}", error.code()),
        }
    }
}
