//! Paths as text: how other programs write them, and how they are kept.
//!
//! | [`Form`] | is | an example for `ab,bc,cd->ad` |
//! |---|---|---|
//! | `OptEinsum` | opt_einsum's and NumPy's: positions in the list of the tensors that are left, from 0; the result goes to its end | `[[1,2],[0,1]]` |
//! | `Ssa` | cotengra's: every tensor has a number, the operands from 0 on and then each result | `[[1,2],[0,3]]` |
//! | `Tree` | nested lists of operands, from 1 | `[1,[2,3]]` |
//! | `OmEinsum` | the JSON of `writejson` of OMEinsumContractionOrders.jl | |
//! | `Stored` | our own: the path with the expression and the shapes that it is for | |
//!
//! All are JSON. A step may name any number of tensors; the order within a step of three or more is searched. The
//! stored form is an object of `"format": "tensoroxide-path"`, `"version": 1`, `"expression"`, `"shapes"` (a list of
//! lists) and `"path"` (opt_einsum's form). It fits a network of the same shapes and the same expression up to the
//! names of labels and to parentheses.

use std::collections::HashMap;
use std::hash::Hash;

use super::json::{quoted, Json, Value};
use super::{Contraction, Path, Search};
use crate::network::Network;
use crate::notation::{Expression, Group};
use crate::Error;
use tensoroxide_contract::Label;
use tensoroxide_tensor::DType;

/// How a path is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Positions in the list of the tensors that are left.
    OptEinsum,
    /// Numbers that each tensor keeps.
    Ssa,
    /// Nested lists of operands, from 1.
    Tree,
    /// The file of OMEinsumContractionOrders' `writejson`.
    OmEinsum,
    /// With the expression and the shapes.
    Stored,
}

/// What every stored path says of itself.
const FORMAT: &str = "tensoroxide-path";
const VERSION: i64 = 1;

/// Steps of any number of tensors, numbered as in [`Path`].
type Steps = Vec<Vec<usize>>;

impl Path {
    /// Reads a path for a network. Where a step has three or more tensors, the cheapest order within it is searched.
    ///
    /// ```
    /// use tensoroxide_einsum::network::Network;
    /// use tensoroxide_einsum::notation::Expression;
    /// use tensoroxide_einsum::path::{Form, Path};
    /// let network = Network::new(&Expression::parse("ab,bc,cd->ad")?, &[&[2, 3], &[3, 4], &[4, 5]])?;
    /// let path = Path::read("[(1, 2), (0, 1)]", Form::OptEinsum, &network);
    /// assert!(path.is_err(), "JSON has no parentheses");
    /// let path = Path::read("[[1, 2], [0, 1]]", Form::OptEinsum, &network)?;
    /// assert_eq!(path.0, [(1, 2), (0, 3)]);
    /// assert_eq!(path.write(Form::Tree, &network, "ab,bc,cd->ad"), "[1,[2,3]]");
    /// # Ok::<(), tensoroxide_einsum::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Path`] for a text that is no path, and for a path of another network.
    pub fn read(text: &str, form: Form, network: &Network) -> Result<Path, Error> {
        let wrong = |reason| Error::Path { reason };
        let json = Json::parse(text).map_err(wrong)?;
        let count = network.operands.len();
        let steps = match form {
            Form::OptEinsum => positions(&json, json.root, count),
            Form::Ssa => numbers(&json, json.root),
            Form::Tree => tree(&json, json.root, count, |json, value| match json.list(value) {
                Some(items) => Ok(Node::Inner(items)),
                None => Ok(Node::Leaf(json.integer(value).ok_or("a tree is made of lists and numbers")?)),
            }),
            Form::OmEinsum => omeinsum(&json, network),
            Form::Stored => stored(&json, network),
        };
        let path = steps.and_then(|steps| pairwise(&steps, network)).map_err(wrong)?;
        path.fits(network)?;
        Ok(path)
    }

    /// Whether this is a path of a network, and keeps to its parentheses.
    ///
    /// # Errors
    /// [`Error::Path`] with what does not fit.
    pub fn fits(&self, network: &Network) -> Result<(), Error> {
        let wrong = |reason| Error::Path { reason };
        let steps: Steps = self.0.iter().map(|&(a, b)| vec![a, b]).collect();
        check(&steps, network.operands.len()).map_err(wrong)?;
        // A group is operands in a row, so the least, the greatest and the number of a tensor's operands tell all.
        let mut made: Vec<(usize, usize, usize)> = (0..network.operands.len()).map(|i| (i, i, 1)).collect();
        for &(a, b) in &self.0 {
            let (a, b) = (made[a], made[b]);
            made.push((a.0.min(b.0), a.1.max(b.1), a.2 + b.2));
        }
        made.sort_unstable();
        let mut groups = vec![(&network.group, 0)];
        while let Some((group, start)) = groups.pop() {
            let Group::Several(members) = group else { continue };
            let (last, size) = (start + leaves(group) - 1, leaves(group));
            if made.binary_search(&(start, last, size)).is_err() {
                let text =
                    format!("operands {} to {} stand in parentheses, but are not contracted", start + 1, last + 1);
                return Err(wrong(text + " with each other first"));
            }
            let mut at = start;
            for member in members {
                groups.push((member, at));
                at += leaves(member);
            }
        }
        Ok(())
    }

    /// Writes this path of a network; the expression is kept in the stored form only.
    pub fn write(&self, form: Form, network: &Network, expression: &str) -> String {
        let list = |steps: &[Vec<usize>]| format!("[{}]", joined(steps.iter().map(|step| format!("{step:?}"))));
        let count = network.operands.len();
        match form {
            Form::OptEinsum => list(&self.positions(count)).replace(' ', ""),
            Form::Ssa => list(&self.0.iter().map(|&(a, b)| vec![a, b]).collect::<Steps>()).replace(' ', ""),
            Form::Tree => self.tree(count, &|leaf| (leaf + 1).to_string(), &|_| ("[".to_owned(), "]".to_owned())),
            Form::OmEinsum => self.omeinsum(network),
            Form::Stored => {
                let shapes = network.shapes.iter().map(|shape| format!("{shape:?}"));
                format!(
                    "{{\n  \"format\": {},\n  \"version\": {VERSION},\n  \"expression\": {},\n  \"shapes\": [{}],\n  \
                     \"path\": {}\n}}\n",
                    quoted(FORMAT),
                    quoted(expression),
                    joined(shapes),
                    list(&self.positions(count)),
                )
            }
        }
    }

    fn positions(&self, count: usize) -> Steps {
        if count == 1 {
            return vec![vec![0]];
        }
        // The list stays sorted, since each new tensor has the greatest number.
        let mut left: Vec<usize> = (0..count).collect();
        let position = |left: &[usize], tensor: usize| left.partition_point(|&t| t < tensor);
        let mut steps = Vec::with_capacity(self.0.len());
        for (k, &(a, b)) in self.0.iter().enumerate() {
            let (i, j) = (position(&left, a.min(b)), position(&left, a.max(b)));
            left.remove(j);
            left.remove(i);
            left.push(count + k);
            steps.push(vec![i, j]);
        }
        steps
    }

    /// Nested text: what a leaf is, and what stands before and after the two of a pair.
    fn tree(&self, count: usize, leaf: &dyn Fn(usize) -> String, around: &dyn Fn(usize) -> (String, String)) -> String {
        enum Item {
            Tensor(usize),
            Text(String),
        }
        let mut text = String::new();
        let mut stack = vec![Item::Tensor((count + self.0.len()).saturating_sub(1))];
        while let Some(item) = stack.pop() {
            match item {
                Item::Text(part) => text.push_str(&part),
                Item::Tensor(t) if t < count => text.push_str(&leaf(t)),
                Item::Tensor(t) => {
                    let ((before, after), (a, b)) = (around(t - count), self.0[t - count]);
                    text.push_str(&before);
                    stack.extend([Item::Text(after), Item::Tensor(b), Item::Text(",".to_owned()), Item::Tensor(a)]);
                }
            }
        }
        text
    }

    /// The file of `writejson`: each step with the labels of what it takes and makes.
    fn omeinsum(&self, network: &Network) -> String {
        let letters = network.names.iter().all(|name| name.chars().count() == 1);
        let name = |&label: &Label| match letters {
            true => quoted(&network.names[label as usize]),
            false => (label + 1).to_string(),
        };
        let list = |labels: &[Label]| format!("[{}]", joined(labels.iter().map(name)));
        let kept = super::kept_labels(network, self);
        let count = network.operands.len();
        let labels = |tensor: usize| match tensor.checked_sub(count) {
            None => &network.operands[tensor],
            Some(k) if k + 1 == self.0.len() => &network.output,
            Some(k) => &kept[k],
        };
        let leaf = |leaf: usize| format!("{{\"isleaf\":true,\"tensorindex\":{}}}", leaf + 1);
        let inner = |inputs: &[usize], output: &[Label]| {
            let inputs = joined(inputs.iter().map(|&t| list(labels(t))));
            let eins = format!("{{\"ixs\":[{inputs}],\"iy\":{}}}", list(output));
            ("{\"isleaf\":false,\"args\":[".to_owned(), format!("],\"eins\":{eins}}}"))
        };
        let tree = match self.0.len() {
            0 => {
                let (before, after) = inner(&[0], &network.output);
                before + &leaf(0) + &after
            }
            _ => self.tree(count, &leaf, &|k| inner(&[self.0[k].0, self.0[k].1], labels(count + k))),
        };
        format!(
            "{{\"label-type\":\"{}\",\"inputs\":[{}],\"output\":{},\"tree\":{tree}}}",
            if letters { "Char" } else { "Int64" },
            joined(network.operands.iter().map(|operand| list(operand))),
            list(&network.output),
        )
    }
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<String>>().join(",")
}

/// Operands in a group.
pub(super) fn leaves(group: &Group) -> usize {
    match group {
        Group::Operand(_) => 1,
        Group::Several(members) => members.iter().map(leaves).sum(),
    }
}

/// A list of lists of whole numbers that are not negative.
fn numbers(json: &Json, value: usize) -> Result<Steps, String> {
    let no_path = || "a path is a list of steps, and a step a list of numbers".to_owned();
    let mut items = json.list(value).ok_or_else(no_path)?;
    // NumPy's paths say so themselves.
    if items.first().is_some_and(|&first| json.text(first) == Some("einsum_path")) {
        items = &items[1..];
    }
    let number = |&value: &usize| json.integer(value).and_then(|x| usize::try_from(x).ok()).ok_or_else(no_path);
    let step = |&item: &usize| json.list(item).ok_or_else(no_path)?.iter().map(number).collect();
    items.iter().map(step).collect()
}

/// Opt_einsum's steps: positions in the list of what is left.
fn positions(json: &Json, value: usize, count: usize) -> Result<Steps, String> {
    let mut left: Vec<usize> = (0..count).collect();
    let mut steps = numbers(json, value)?;
    for (k, step) in steps.iter_mut().enumerate() {
        let mut sorted = step.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("step {} names position {} twice", k + 1, twice[0]));
        }
        if let Some(&last) = sorted.last().filter(|&&last| last >= left.len()) {
            let there = left.len();
            return Err(format!("step {} names position {last} (from 0), but only {there} tensors are left", k + 1));
        }
        for position in step.iter_mut() {
            *position = left[*position];
        }
        for &position in sorted.iter().rev() {
            left.remove(position);
        }
        left.push(count + k);
    }
    Ok(steps)
}

/// A tensor of a tree.
enum Node<'a> {
    /// An operand, from 1.
    Leaf(i64),
    /// What is made of these.
    Inner(&'a [usize]),
}

/// The steps of a tree, depth first. `read` says what a value is.
fn tree<'a>(
    json: &'a Json,
    root: usize,
    count: usize,
    read: impl Fn(&'a Json, usize) -> Result<Node<'a>, &'static str>,
) -> Result<Steps, String> {
    // A value comes after those inside of it.
    let (mut nodes, mut stack) = (Vec::new(), vec![root]);
    while let Some(value) = stack.pop() {
        let node = read(json, value)?;
        if let Node::Inner(items) = node {
            stack.extend(items);
        }
        nodes.push((value, node));
    }
    nodes.sort_unstable_by_key(|(value, _)| *value);
    let mut steps = Steps::new();
    let mut tensors: Vec<(usize, usize)> = Vec::with_capacity(nodes.len());
    for (value, node) in nodes {
        let tensor = match node {
            Node::Leaf(operand) => match usize::try_from(operand) {
                Ok(operand @ 1..) if operand <= count => operand - 1,
                _ => return Err(format!("the tree names operand {operand}, but there are operands 1 to {count}")),
            },
            Node::Inner(items) => {
                let number = |item: &usize| tensors[tensors.partition_point(|t| t.0 < *item)].1;
                steps.push(items.iter().map(number).collect());
                count + steps.len() - 1
            }
        };
        tensors.push((value, tensor));
    }
    Ok(steps)
}

/// OMEinsum's tree, whose labels have to be the network's up to their names.
fn omeinsum(json: &Json, network: &Network) -> Result<Steps, String> {
    let file = || "this is no file of writejson, an object with \"inputs\", \"output\" and \"tree\"".to_owned();
    let key = |name| json.get(json.root, name).ok_or_else(file);
    let labels = |value: usize| -> Result<Vec<String>, String> {
        Ok(json.list(value).ok_or_else(file)?.iter().map(|&item| format!("{:?}", json.values[item])).collect())
    };
    let inputs = json.list(key("inputs")?).ok_or_else(file)?;
    let theirs = inputs.iter().map(|&input| labels(input)).chain([labels(key("output")?)]);
    let theirs: Vec<Vec<String>> = theirs.collect::<Result<_, _>>()?;
    same_network(&theirs, network)?;
    // A `SlicedEinsum` also names the labels that it slices; which ones a plan slices follows from its memory limit.
    let slices = json.get(json.root, "slices").map_or(Ok(Vec::new()), |slices| {
        let name = |&label: &usize| match (json.text(label), json.integer(label)) {
            (Some(name), _) => Ok(format!("'{name}'")),
            (_, Some(number)) => Ok(number.to_string()),
            _ => Err(file()),
        };
        json.list(slices).ok_or_else(file)?.iter().map(name).collect()
    })?;
    if !slices.is_empty() {
        let slices = slices.join(", ");
        return Err(format!(
            "the path is sliced over {slices}, which cannot be asked for: read it without \"slices\", and give a memory limit"
        ));
    }
    tree(json, key("tree")?, network.operands.len(), |json, value| {
        let is_leaf = json.get(value, "isleaf").map(|leaf| json.values[leaf] == Value::Bool(true));
        match is_leaf.ok_or("a node of the tree has no \"isleaf\"")? {
            true => {
                let operand = json.get(value, "tensorindex").and_then(|index| json.integer(index));
                Ok(Node::Leaf(operand.ok_or("a leaf of the tree has no \"tensorindex\"")?))
            }
            false => {
                let inner = json.get(value, "args").and_then(|args| json.list(args));
                Ok(Node::Inner(inner.ok_or("a node of the tree has no \"args\"")?))
            }
        }
    })
}

/// Our own form.
fn stored(json: &Json, network: &Network) -> Result<Steps, String> {
    let text = |name| json.get(json.root, name).and_then(|value| json.text(value));
    let version = json.get(json.root, "version").and_then(|value| json.integer(value));
    if text("format") != Some(FORMAT) {
        return Err(format!("this is no stored path: it has no \"format\": {FORMAT:?}"));
    }
    if version != Some(VERSION) {
        return Err(format!("the stored path is of version {version:?}; version {VERSION} is understood"));
    }
    let part = |name| json.get(json.root, name).ok_or_else(|| format!("the stored path has no {name:?}"));
    let shapes = numbers(json, part("shapes")?)?;
    let expression = text("expression").ok_or("the stored path has no \"expression\"")?;
    for (i, (found, expected)) in shapes.iter().zip(&network.shapes).enumerate() {
        if found != expected {
            return Err(format!("the stored path is for an operand {} of size {found:?}, not {expected:?}", i + 1));
        }
    }
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let of = Expression::parse(expression).and_then(|read| Network::new(&read, &shapes));
    let of = of.map_err(|error| format!("the stored path's own expression: {error}"))?;
    let theirs: Vec<Vec<Label>> = of.operands.into_iter().chain([of.output]).collect();
    same_network(&theirs, network).map_err(|reason| format!("{reason}\n  stored for {expression}"))?;
    positions(json, part("path")?, network.operands.len())
}

/// Whether the labels of operands and output, the output last, are a network's but for their names.
fn same_network<K: Eq + Hash>(theirs: &[Vec<K>], network: &Network) -> Result<(), String> {
    let (found, expected) = (theirs.len().saturating_sub(1), network.operands.len());
    if found != expected {
        return Err(format!("the path is for {found} operands, but there are {expected}"));
    }
    let ours: Vec<&[Label]> = network.operands.iter().chain([&network.output]).map(Vec::as_slice).collect();
    let theirs: Vec<&[K]> = theirs.iter().map(Vec::as_slice).collect();
    match numbered(&theirs).iter().zip(&numbered(&ours)).position(|(x, y)| x != y) {
        None => Ok(()),
        Some(i) if i == expected => Err("the path is for an output with other labels".to_owned()),
        Some(i) => Err(format!("the path is for another operand {}: its labels are different", i + 1)),
    }
}

/// Labels by the order in which they first come.
fn numbered<K: Eq + Hash>(lists: &[&[K]]) -> Vec<Vec<usize>> {
    let mut numbers: HashMap<&K, usize> = HashMap::new();
    let mut number = |label| {
        let next = numbers.len();
        *numbers.entry(label).or_insert(next)
    };
    lists.iter().map(|list| list.iter().map(&mut number).collect()).collect()
}

/// Whether the steps use every tensor once and leave one.
fn check(steps: &[Vec<usize>], count: usize) -> Result<(), String> {
    let mut used = vec![false; count + steps.len()];
    for (k, step) in steps.iter().enumerate() {
        if step.is_empty() {
            return Err(format!("step {} names no tensor", k + 1));
        }
        for &tensor in step {
            if tensor >= count + k {
                return Err(format!("step {} names tensor {tensor} (from 0), which is not there yet", k + 1));
            }
            if std::mem::replace(&mut used[tensor], true) {
                return Err(format!("step {} names tensor {tensor} (from 0), which was contracted before", k + 1));
            }
        }
    }
    match used.iter().filter(|used| !**used).count() {
        1 => Ok(()),
        left => {
            Err(format!("the path of {} steps leaves {left} tensors of {count}, where one should be left", steps.len()))
        }
    }
}

/// Every step of three or more as pairs; what a step of one makes is what it takes.
fn pairwise(steps: &[Vec<usize>], network: &Network) -> Result<Path, String> {
    let count = network.operands.len();
    check(steps, count)?;
    let request = Search::default();
    let mut contraction = Contraction::new(network, DType::F64, &request);
    let mut numbers: Vec<usize> = (0..count).collect();
    for step in steps {
        let tensors: Vec<usize> = step.iter().map(|&tensor| numbers[tensor]).collect();
        numbers.push(contraction.contract(&tensors));
    }
    Ok(Path(contraction.pairs))
}

#[cfg(test)]
mod tests {
    use super::super::tests::network;
    use super::*;

    const TEXT: &str = "ab,bc,cd,de->ae";

    fn chain() -> Network {
        network(TEXT, &[])
    }

    fn read(text: &str, form: Form) -> Result<Path, String> {
        Path::read(text, form, &chain()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_path_in_every_form() {
        let path = Path(vec![(1, 2), (3, 4), (0, 5)]);
        let chain = chain();
        let text = |form| path.write(form, &chain, TEXT);
        assert_eq!(text(Form::OptEinsum), "[[1,2],[1,2],[0,1]]");
        assert_eq!(text(Form::Ssa), "[[1,2],[3,4],[0,5]]");
        assert_eq!(text(Form::Tree), "[1,[4,[2,3]]]");
        let leaf = |i: usize| format!("{{\"isleaf\":true,\"tensorindex\":{i}}}");
        let inner = |a: &str, b: &str, eins: &str| {
            let eins: Vec<String> = eins.split(' ').map(|l| format!("[\"{}\",\"{}\"]", &l[..1], &l[1..])).collect();
            let eins = format!("{{\"ixs\":[{},{}],\"iy\":{}}}", eins[0], eins[1], eins[2]);
            format!("{{\"isleaf\":false,\"args\":[{a},{b}],\"eins\":{eins}}}")
        };
        let tree = inner(&leaf(1), &inner(&leaf(4), &inner(&leaf(2), &leaf(3), "bc cd bd"), "de bd be"), "ab be ae");
        let inputs = "[\"a\",\"b\"],[\"b\",\"c\"],[\"c\",\"d\"],[\"d\",\"e\"]";
        let file =
            format!("{{\"label-type\":\"Char\",\"inputs\":[{inputs}],\"output\":[\"a\",\"e\"],\"tree\":{tree}}}");
        assert_eq!(text(Form::OmEinsum), file);
        let stored =
            "{\n  \"format\": \"tensoroxide-path\",\n  \"version\": 1,\n  \"expression\": \"ab,bc,cd,de->ae\",\n  \
                      \"shapes\": [[2, 2],[2, 2],[2, 2],[2, 2]],\n  \"path\": [[1, 2],[1, 2],[0, 1]]\n}\n";
        assert_eq!(text(Form::Stored), stored);
        for form in [Form::OptEinsum, Form::Ssa, Form::Tree, Form::OmEinsum, Form::Stored] {
            let again = read(&text(form), form).unwrap();
            // A tree has no order among branches; this one has a single branch.
            assert_eq!(again.0, [(1, 2), (3, 4), (0, 5)], "{form:?}");
        }
    }

    #[test]
    fn steps_of_one_and_of_many_are_read() {
        assert_eq!(read("[[0,1,2,3]]", Form::OptEinsum).unwrap().0.len(), 3);
        assert_eq!(read("[\"einsum_path\",[1,2],[0,1,2]]", Form::OptEinsum).unwrap().0[0], (1, 2));
        assert_eq!(read("[[0],[0,1],[0,2],[0,1]]", Form::OptEinsum).unwrap().0, [(1, 2), (3, 4), (0, 5)]);
        assert_eq!(read("[[[1]],2,[3,4]]", Form::Tree).unwrap().0.len(), 3);
        let alone = network("ab->ba", &[]);
        for (text, form) in [
            ("[]", Form::OptEinsum),
            ("[[0]]", Form::OptEinsum),
            ("[[0]]", Form::Ssa),
            ("1", Form::Tree),
            ("[1]", Form::Tree),
        ] {
            assert_eq!(Path::read(text, form, &alone).unwrap().0, []);
        }
        for form in [Form::OptEinsum, Form::Ssa, Form::Tree, Form::OmEinsum, Form::Stored] {
            let text = Path::default().write(form, &alone, "ab->ba");
            assert_eq!(Path::read(&text, form, &alone).unwrap().0, [], "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, form, reason) in [
            ("[[0,1],[0,3],[0,1]]", Form::OptEinsum, "step 2 names position 3 (from 0), but only 3 tensors are left"),
            ("[[0,0]]", Form::OptEinsum, "step 1 names position 0 twice"),
            ("[[0,1]]", Form::OptEinsum, "the path of 1 steps leaves 3 tensors of 4, where one should be left"),
            ("[[0,-1]]", Form::OptEinsum, "a path is a list of steps, and a step a list of numbers"),
            ("[[0,1],[]]", Form::OptEinsum, "step 2 names no tensor"),
            ("[[0,1],[0,2],[3,4]]", Form::Ssa, "step 2 names tensor 0 (from 0), which was contracted before"),
            ("[[0,4]]", Form::Ssa, "step 1 names tensor 4 (from 0), which is not there yet"),
            ("[1,[2,5]]", Form::Tree, "the tree names operand 5, but there are operands 1 to 4"),
            ("[0,1]", Form::Tree, "the tree names operand 0, but there are operands 1 to 4"),
            ("[1,2,3,3]", Form::Tree, "step 1 names tensor 2 (from 0), which was contracted before"),
            ("[1,2,\"3\"]", Form::Tree, "a tree is made of lists and numbers"),
            ("[[0,1]", Form::Ssa, "expected ',' or ']', but the text ends"),
            ("{}", Form::Stored, "this is no stored path: it has no \"format\": \"tensoroxide-path\""),
        ] {
            assert_eq!(read(text, form), Err(reason.to_owned()), "{text}");
        }
        assert!(read("{}", Form::OmEinsum).unwrap_err().starts_with("this is no file of writejson"));
    }

    #[test]
    fn slices_of_omeinsum_are_refused_by_name() {
        // `writejson` of a `SlicedEinsum` adds "slices" to what it writes of the `NestedEinsum` inside.
        let network = chain();
        let file = Path(vec![(1, 2), (3, 4), (0, 5)]).write(Form::OmEinsum, &network, TEXT);
        let sliced = |labels: &str| read(&format!("{},\"slices\":{labels}}}", &file[..file.len() - 1]), Form::OmEinsum);
        assert!(sliced("[]").is_ok());
        assert!(sliced("[\"b\",\"d\"]").unwrap_err().starts_with("the path is sliced over 'b', 'd', which"));
        assert!(sliced("[2,4]").unwrap_err().starts_with("the path is sliced over 2, 4, which"));
        assert!(sliced("3").unwrap_err().starts_with("this is no file of writejson"));
    }

    #[test]
    fn a_path_of_another_network_is_refused() {
        let refused = |form, mine: &str, size, other: &str| {
            let (mine, network) = (network(mine, &[('b', size)]), network(other, &[]));
            let path = super::super::search(&mine, DType::F64, &Search::default());
            let text = path.write(form, &mine, TEXT);
            Path::read(&text, form, &network).unwrap_err().to_string()
        };
        let size = refused(Form::Stored, TEXT, 3, TEXT);
        assert_eq!(size, "the stored path is for an operand 1 of size [2, 3], not [2, 2]");
        for form in [Form::Stored, Form::OmEinsum] {
            let operand = refused(form, TEXT, 2, "ab,bc,bd,de->ae");
            assert!(operand.starts_with("the path is for another operand 3: its labels are different"), "{operand}");
            let output = refused(form, TEXT, 2, "ab,bc,cd,de->ea");
            assert!(output.starts_with("the path is for an output with other labels"), "{output}");
            let count = refused(form, TEXT, 2, "ab,bc,cd,de,e->ae");
            assert!(count.starts_with("the path is for 4 operands, but there are 5"), "{count}");
        }
        // Other names for the same labels are no other network.
        let (mine, named) = (chain(), network("xy,yz,zu,uv->xv", &[]));
        for form in [Form::Stored, Form::OmEinsum] {
            let text = Path(vec![(1, 2), (3, 4), (0, 5)]).write(form, &mine, TEXT);
            assert_eq!(Path::read(&text, form, &named).unwrap().0, [(1, 2), (3, 4), (0, 5)]);
        }
    }

    #[test]
    fn parentheses_hold_for_given_paths() {
        let grouped = network("ab,(bc,cd),de->ae", &[]);
        assert!(Path::read("[[1,2],[1,2],[0,1]]", Form::OptEinsum, &grouped).is_ok());
        let error = Path::read("[[0,1],[0,1],[0,1]]", Form::OptEinsum, &grouped).unwrap_err().to_string();
        assert_eq!(error, "operands 2 to 3 stand in parentheses, but are not contracted with each other first");
    }

    #[test]
    fn trees_may_be_deep() {
        let count = 20_000;
        let labels: Vec<String> = (0..count).map(|_| "a".to_owned()).collect();
        let many = network(&(labels.join(",") + "->a"), &[]);
        let path = Path((0..count - 1).map(|k| if k == 0 { (0, 1) } else { (k + 1, count + k - 1) }).collect());
        for form in [Form::OptEinsum, Form::Ssa, Form::Tree, Form::OmEinsum] {
            assert_eq!(Path::read(&path.write(form, &many, ""), form, &many).unwrap(), path, "{form:?}");
        }
    }
}
