# What files keep, beside tensors: numbers, texts, lists, dictionaries and contraction paths; saving and loading at
# once.

# The attribute that says what a group or a text is for; files of others may well have something else there.
const MARK = "tensoroxide"
const LIST, PATH = "list", "contraction path"
marked(file, name) = (mark = item(file, name, MARK); mark.kind === :text ? read_text(file, name, MARK) : "")

"""
    write(file::TensorFile, name, value; compress = 0, shuffle = true, checksum = false, chunk = nothing)

Write a value under a new name; for the options see [`TensorOxide.save`](@ref).
"""
Base.write(file::TensorFile, name::AbstractString, A::AbstractArray; options...) =
    write_tensor(file, name, nothing, A; options...)
# Options are for the tensors among what is saved at once.
Base.write(file::TensorFile, name::AbstractString, x::Number; options...) = write_tensor(file, name, nothing, fill(x))
Base.write(file::TensorFile, name::AbstractString, text::AbstractString; options...) =
    write_text(file, name, nothing, text)

function Base.write(file::TensorFile, name::AbstractString, path::Union{ContractionPlan,StoredPath}; options...)
    path isa StoredPath && path.form !== :stored && throw(ArgumentError(
        "the path of \"$name\" is of another program; make a plan with it, and save that"))
    write_text(file, name, nothing, path isa StoredPath ? path.text : contraction_path(path, :stored))
    write_text(file, name, MARK, PATH)
end

Base.write(file::TensorFile, name::AbstractString, list::Tuple; options...) = write_list(file, name, list; options...)
Base.write(file::TensorFile, name::AbstractString, list::AbstractVector{<:AbstractArray}; options...) =
    write_list(file, name, list; options...)

function write_list(file, name, list; options...)
    call(h -> file_make_group(h, name), file)
    write_text(file, name, MARK, LIST)
    attributes(file, name)["length"] = length(list)
    foreach(((k, value),) -> write(file, "$name/$k", value; options...), enumerate(list))
end

function Base.write(file::TensorFile, name::AbstractString, group::AbstractDict{<:AbstractString}; options...)
    call(h -> file_make_group(h, name), file)
    foreach(((key, value),) -> write(file, "$name/$key", value; options...), group)
end

Base.write(file::TensorFile, name::AbstractString, value; options...) = throw(ArgumentError(
    "the value of \"$name\" is a $(typeof(value)); saved are arrays, numbers, texts, lists, dictionaries and plans"))

Base.setindex!(file::TensorFile, value, name::AbstractString) = (write(file, name, value); value)

"""
    read(file::TensorFile, name)

Read what has the name: an array, a number, a text, a path for [`contraction_plan`](@ref), a vector for a list, and a
`Dict{String,Any}` for any other group.
"""
function Base.read(file::TensorFile, name::AbstractString)
    kind = item(file, name).kind
    kind === :none && throw(KeyError(name))
    if kind === :text
        text = read_text(file, name)
        return marked(file, name) == PATH ? StoredPath(:stored, text) : text
    elseif kind === :group
        named(key) = read(file, joined(name, key))
        marked(file, name) == LIST && return [named(k) for k in 1:attributes(file, name)["length"]]
        return Dict{String,Any}(key => named(key) for key in keys(file, name))
    end
    return read_tensor(file, name)
end

joined(group, name) = endswith(group, '/') ? "$group$name" : "$group/$name"

Base.getindex(file::TensorFile, name::AbstractString) = read(file, name)

"""
    TensorOxide.save(path, name => value, …; sync = true, compress = 0, shuffle = true, checksum = false,
                     chunk = nothing)

Write an HDF5 file with these values, in the place of the file that there may be. That is all or nothing: the new file
is written beside the old one and renamed when it is complete and, with `sync`, on the disk; when anything fails, or
the process is killed at any moment, the old file is as it was.

Values are tensors (any strided arrays), numbers, texts, lists of arrays such as a matrix product state, dictionaries
of values and contraction plans; see [`TensorOxide.TensorFile`](@ref). Names are paths, `"group/name"`. Complex numbers
are compounds of `r` and `i`, so that h5py and HDF5.jl read the files; for those who count axes from the slowest on, as
h5py does, the axes are reversed.

The options are for the tensors: `compress` from 1 (fast) to 9 (small), `shuffle` to reorder bytes before that, a
`checksum` of each chunk, and the size of a `chunk`, which is otherwise up to 64 KiB. Without any the tensors lie in the
file as in memory, which is fastest.

```julia
TensorOxide.save("state.h5", "psi" => ψ, "energy" => -12.3, "plan" => plan)
ψ, energy = TensorOxide.load("state.h5", "psi", "energy")
```
"""
function save(path::AbstractString, values::Pair{<:AbstractString}...; sync::Bool = true, options...)
    save_all(path, collect(Any, values), sync, options)
    return nothing
end

# Nothing here is worth being compiled for every combination of types.
save_all(path, values, sync, @nospecialize(options)) = open(path, "w"; sync = sync) do file
    for (name, value) in values
        write(file, name, value; options...)
    end
end

"""
    TensorOxide.load(path, name, names…)
    TensorOxide.load(path)

Read from an HDF5 file, ours or another one: the value of a name, a tuple of the values of several, or everything, as a
dictionary. See [`TensorOxide.save`](@ref), and [`TensorOxide.open`](@ref) for parts of tensors.
"""
load(path::AbstractString, name::AbstractString) = open(file -> read(file, name), path)
load(path::AbstractString, names::AbstractString...) = open(file -> map(name -> read(file, name), names), path)
load(path::AbstractString) = open(file -> read(file, "/"), path)
