# Contraction paths: the forms in which other programs write them, and files that keep them.

# Codes of the engine, C's TOX_PATH_*.
const PATH_FORMS = (opt_einsum = Int32(0), ssa = Int32(1), tree = Int32(2), omeinsum = Int32(3), stored = Int32(4))

"A path that was read from a file; see [`load_path`](@ref TensorOxide.load_path)."
struct StoredPath
    form::Symbol
    text::String
end

Base.show(io::IO, path::StoredPath) =
    print(io, "StoredPath of ", ncodeunits(path.text), " bytes in the form :", path.form)

"""
    TensorOxide.contraction_path(plan, form = :opt_einsum)

The order of the contractions of `plan` in one of the forms that programs use, each of which
[`contraction_plan`](@ref) takes back (`path = form => path`):

| `form` | is | for `ab,bc,cd->ad`, `cd` with `bc` first |
|---|---|---|
| `:opt_einsum` | positions in the list of the tensors that are left, from 0; a result goes to its end | `[(1, 2), (0, 1)]` |
| `:ssa` | every tensor has a number, the operands from 0 on and then each result (cotengra) | `[(1, 2), (0, 3)]` |
| `:tree` | nested vectors of operands, from 1 | `Any[1, Any[2, 3]]` |
| `:omeinsum` | text as OMEinsumContractionOrders' `writejson` writes it, to be read by its `readjson` | |
| `:stored` | text with the expression and the shapes, what [`TensorOxide.save_path`](@ref) writes | |

```jldoctest
julia> using TensorOxide

julia> plan = contraction_plan("ab,bc,cd->ad", [(2, 30), (30, 20), (20, 4)]; path = [(1, 2), (0, 1)]);

julia> print(TensorOxide.contraction_path(plan))
[(1, 2), (0, 1)]

julia> print(TensorOxide.contraction_path(plan, :tree))
Any[1, Any[2, 3]]

julia> contraction_plan("xy,yz,zx->", [(2, 30), (30, 20), (20, 2)]; path = :tree => [1, [2, 3]]).info.flops
2520.0
```
"""
function contraction_path(plan::ContractionPlan, form::Symbol = :opt_einsum)
    text = path_text(plan, form)
    form in (:omeinsum, :stored) && return text
    form === :tree && return nested(text)
    numbers = [parse(Int, digits.match) for digits in eachmatch(r"[0-9]+", text)]
    # The path of a single operand has a step of its own in opt_einsum, which here is none.
    return [(numbers[k], numbers[k+1]) for k in 1:2:length(numbers)-1]
end

path_text(plan::ContractionPlan, form::Symbol) =
    engine_text((buffer, len) -> plan_path(plan.handle, path_form(form), buffer, len))

path_form(form::Symbol) = haskey(PATH_FORMS, form) ? PATH_FORMS[form] : throw(ArgumentError(
    "$(repr(form)) is no form of a contraction path; there are $(join(map(repr, keys(PATH_FORMS)), ", "))"))

# Nested lists of numbers. Not recursive, since a tree may be as deep as the network has tensors.
function nested(text)
    open = [Any[]]
    for token in eachmatch(r"[0-9]+|\[|\]", text)
        if token.match == "["
            push!(open, Any[])
        elseif token.match == "]"
            list = pop!(open)
            push!(last(open), list)
        else
            push!(last(open), parse(Int, token.match))
        end
    end
    tree = first(first(open))
    return tree isa Int ? Any[tree] : tree
end

"Code and text of what a caller gave as `path`."
path_text(path::StoredPath) = path_form(path.form), path.text
path_text(path::Pair{Symbol}) = path_form(first(path)), path_json(first(path), last(path))
path_text(path::AbstractVector) = PATH_FORMS.opt_einsum, path_json(:opt_einsum, path)
path_text(path) = throw(ArgumentError(
    "path is a $(typeof(path)); a list of steps, a form and a path as in `:tree => path`, or what load_path read is needed"))

function path_json(form::Symbol, @nospecialize(path))
    form in (:omeinsum, :stored) || return sprint(print_json, path)
    path isa AbstractString || throw(ArgumentError("a path in the form $(repr(form)) is a text, not a $(typeof(path))"))
    '\0' in path && throw(ArgumentError("the path contains a NUL character"))
    return String(path)
end

# Vectors and tuples of integers as JSON.
function print_json(io::IO, @nospecialize(path))
    stack = Any[path]
    while !isempty(stack)
        item = pop!(stack)
        if item isa Integer || item isa Char
            print(io, item)
        elseif item isa AbstractString && item == "einsum_path"   # how NumPy's paths begin
            print(io, repr(item))
        elseif item isa Union{Tuple,AbstractVector}
            push!(stack, ']')
            for k in length(item):-1:1
                push!(stack, item[k])
                k > 1 && push!(stack, ',')
            end
            push!(stack, '[')
        else
            throw(ArgumentError("a contraction path is made of lists and integers, but there is $(repr(item)) in it"))
        end
    end
end

"""
An expression with parentheses for integer labels and a tree of operands, as in `[1, [2, 3]]`, and the operands in the
order in which they stand there: `"{1}{2},({2}{3},{3}{4})->{1}{4}", [1, 2, 3]`. Not recursive, since a tree may be as deep
as the network has tensors.
"""
function parenthesised(labels::Pair, tree)
    text, order = IOBuffer(), Int[]
    stack, outermost = Any[tree], true      # the outermost list has no parentheses
    while !isempty(stack)
        item = pop!(stack)
        if item isa Char
            print(text, item)
        elseif item isa Integer
            push!(order, item)
            foreach(label -> print(text, '{', label, '}'), first(labels)[item])
        else
            outermost || push!(stack, ')')
            for k in length(item):-1:1
                push!(stack, item[k])
                k > 1 && push!(stack, ',')
            end
            outermost || push!(stack, '(')
            outermost = false
        end
    end
    print(text, "->")
    foreach(label -> print(text, '{', label, '}'), last(labels))
    return String(take!(text)), order
end

"""
    TensorOxide.save_path(file, plan)

Write the path of `plan` to a file: JSON with the expression and the shapes that it is for, so that it cannot be taken
for another network by mistake. [`TensorOxide.load_path`](@ref) reads it.
"""
save_path(file::AbstractString, plan::ContractionPlan) = (write(file, contraction_path(plan, :stored)); nothing)

"""
    TensorOxide.load_path(file)

Read a path that [`TensorOxide.save_path`](@ref), or `writejson` of OMEinsumContractionOrders, wrote, to be given to
[`contraction_plan`](@ref). An `ArgumentError` says there if it is the path of another network.

```jldoctest
julia> using TensorOxide

julia> shapes = [(2, 30), (30, 20), (20, 4)];

julia> file = tempname();

julia> TensorOxide.save_path(file, contraction_plan("ab,bc,cd->ad", shapes))

julia> plan = contraction_plan("ab,bc,cd->ad", shapes; path = TensorOxide.load_path(file));

julia> print(TensorOxide.contraction_path(plan))
[(0, 1), (0, 1)]
```
"""
function load_path(file::AbstractString)
    text = read(file, String)
    '\0' in text && throw(ArgumentError("$file is no text: it contains a NUL character"))
    return StoredPath(occursin("\"tensoroxide-path\"", text) ? :stored : :omeinsum, text)
end
