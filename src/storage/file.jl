# Open files: tensors, texts, groups and attributes by their names.

"Element types of tensors in files."
const StoredElement = Union{Element,Int8,Int32,Int64,UInt8,UInt32,UInt64,Bool}

const STORED_TYPES = (Float32, Float64, ComplexF32, ComplexF64, Int8, Int32, Int64, UInt8, UInt32, UInt64, Bool)

dltype(::Type{T}) where {T<:Signed} = DLDataType(0, 8sizeof(T), 1)
dltype(::Type{T}) where {T<:Unsigned} = DLDataType(1, 8sizeof(T), 1)
name(who::String) = who

"""
    TensorFile

An open HDF5 file, from [`TensorOxide.open`](@ref). Names are paths, as in `"state/site 1"`.

| | |
|:---|:---|
| `file[name] = value` | write a new value, with the groups above it |
| `file[name]` | read it |
| `file[name, 1:3, :, 2]` | read a part of a tensor: indices, ranges (with any step), colons |
| `file[name, 1:3, :, 2] = A` | overwrite a part |
| `write(file, name, value; options…)` | write with the options of [`TensorOxide.save`](@ref) |
| `TensorOxide.create(file, name, T, size; options…)` | make a tensor of zeros, to be written in parts |
| `read!(file, name, A)` | read into an array, strided as it may be |
| `keys(file)`, `keys(file, group)` | names, in the order of the alphabet |
| `haskey(file, name)`, `delete!(file, name)` | |
| `size(file, name)`, `eltype(file, name)` | of a tensor, without reading it |
| `TensorOxide.attributes(file, name)` | a dictionary of the attributes of what has the name; `"/"` is the file |

Values are tensors (any strided arrays, `PermutedDimsArray`, `adjoint` and so on included, without a copy of the
whole), numbers, texts, lists of arrays, dictionaries of values, and contraction plans. Element types are `Float32`,
`Float64`, `ComplexF32`, `ComplexF64`, `Bool`, and `Int` and `UInt` of 8, 32 and 64 bits. What is not there is a
`KeyError`; a disk or a file that fails is a `Base.IOError`.
"""
mutable struct TensorFile
    handle::Ptr{Cvoid}
    path::String
    sync::Bool
end

Base.show(io::IO, file::TensorFile) =
    print(io, "TensorFile ", repr(file.path), file.handle == C_NULL ? " (closed)" : "")

const FILE_MODES = Dict("r" => Int32(0), "w" => Int32(1), "r+" => Int32(2))

"""
    TensorOxide.open(f, path, mode = "r"; sync = true)
    TensorOxide.open(path, mode = "r"; sync = true)

Open an HDF5 file, call `f` with the [`TensorOxide.TensorFile`](@ref), and close it. The mode is `"r"` to read, `"w"`
to write anew, `"r+"` to change.

What is written goes to a new file in the same folder, which takes the place of the old one at the end, when it is
complete and, with `sync`, on the disk. If `f` throws, or the process ends before, the old file stays as it was. `"r+"`
begins with a copy of the file, and so costs at least as much time as copying it.

Without `f` the file is returned; `close(file)` is then what puts it in its place. A file that is not closed is not
kept.

```julia
TensorOxide.open("state.h5", "w") do file
    file["chain/energy"] = -12.3
    write(file, "chain/site 1", A; compress = 3)
    TensorOxide.attributes(file, "chain")["model"] = "Heisenberg"
end
TensorOxide.open(file -> file["chain/site 1", :, 1, :], "state.h5")
```
"""
function open(path::AbstractString, mode::AbstractString = "r"; sync::Bool = true)
    haskey(FILE_MODES, mode) || throw(ArgumentError("the mode of a file is \"r\", \"w\" or \"r+\", not $(repr(mode))"))
    load_hdf5()
    handle = Ref{Ptr{Cvoid}}(C_NULL)
    locked(() -> file_open(String(path), FILE_MODES[mode], handle))
    return finalizer(release, TensorFile(handle[], String(path), sync))
end

function open(f, path::AbstractString, mode::AbstractString = "r"; sync::Bool = true)
    file = open(path, mode; sync = sync)
    try
        result = f(file)
        close(file)
        return result
    finally
        discard(file)
    end
end

"Close the file and put it in its place."
function Base.close(file::TensorFile)
    file.handle == C_NULL && return nothing
    try
        locked(() -> file_commit(file.handle, file.sync))
    finally
        discard(file)
    end
    return nothing
end

"Close the file; what was written to it is gone, if it was not put in its place."
function discard(file::TensorFile)
    locked() do
        handle, file.handle = file.handle, C_NULL
        file_destroy(handle)
    end
end

# A finalizer must not wait for a lock that the task which it interrupts may hold.
function release(file::TensorFile)
    file.handle == C_NULL && return nothing
    held = HDF5_LOCK[]
    if !islocked(held) && trylock(held)
        try
            discard(file)
        finally
            unlock(held)
        end
    else
        finalizer(release, file)
    end
    return nothing
end

"Call the engine with the open file."
call(f, file::TensorFile) = locked() do
    file.handle == C_NULL && throw(ArgumentError("the file $(repr(file.path)) is closed"))
    f(file.handle)
end

"""
    described(f, A, what)

Call `f` with `A` as a tensor of the engine's, and whether it is conjugated.
"""
function described(f, A::AbstractArray{T,N}, what) where {T,N}
    T <: StoredElement && isconcretetype(T) || throw(ArgumentError(
        "$what has elements of type $T; files hold $(join(STORED_TYPES, ", "))"))
    p, s, conj = layout(A, what)
    shape, strides = collect(Int64, size(A)), collect(Int64, s)
    GC.@preserve A shape strides f(DLTensor(p, CPU, N, dltype(T), pointer(shape), pointer(strides), 0), conj)
end

# What has no memory of its own elements is copied.
strided(A::AbstractArray) = A
strided(A::Union{BitArray,AbstractRange}) = Array(A)

"Options of how a tensor is kept, as C's `tox_storage_options`; the chunk has to be preserved."
function storage_options(compress, shuffle, checksum, chunk, N)
    compress isa Bool && (compress = compress ? 3 : 0)
    0 <= compress <= 9 || throw(ArgumentError("compress is from 0 to 9, not $compress"))
    chunk === nothing || length(chunk) == N || throw(ArgumentError(
        "chunk = $chunk has $(length(chunk)) extents, but the tensor has $N"))
    extents = chunk === nothing ? Int64[] : collect(Int64, chunk)
    # A number has no chunks.
    return StorageOptions(compress, shuffle, checksum, isempty(extents) ? C_NULL : pointer(extents)), extents
end

function write_tensor(file::TensorFile, name, attribute, A::AbstractArray; compress = 0, shuffle = true,
                      checksum = false, chunk = nothing)
    options, extents = storage_options(compress, shuffle, checksum, chunk, ndims(A))
    described(strided(A), "the value of \"$name\"") do tensor, conj
        GC.@preserve extents call(h -> file_write(h, name, attribute, tensor, conj, options), file)
    end
end

"""
    TensorOxide.create(file, name, T, size; compress = 0, shuffle = true, checksum = false, chunk = nothing)

Make a tensor of zeros in an open file, to be written in parts, `file[name, indices…] = A`.
"""
function create(file::TensorFile, name::AbstractString, ::Type{T}, sz::Dims; compress = 0, shuffle = true,
                checksum = false, chunk = nothing) where {T<:StoredElement}
    options, extents = storage_options(compress, shuffle, checksum, chunk, length(sz))
    shape = collect(Int64, sz)
    GC.@preserve extents call(h -> file_create(h, name, dltype(T), shape, options), file)
end

"Kind, element type and extents of what has a name, and of its chunks, or `nothing`."
struct Item
    kind::Symbol
    eltype::Type
    size::Vector{Int}
    chunk::Union{Nothing,Vector{Int}}
end

const ITEM_KINDS = (:none, :group, :tensor, :text, :other)
const MAX_RANK = 32

function item(file::TensorFile, name, attribute = nothing)
    found = Ref(StorageItem(0, DLDataType(0, 0, 0), 0, 0))
    extents, chunk = zeros(Int64, MAX_RANK), zeros(Int64, MAX_RANK)
    call(h -> file_item(h, name, attribute, found, extents, chunk), file)
    rank = Int(found[].rank)
    kind = ITEM_KINDS[found[].kind+1]
    k = kind === :tensor ? findfirst(T -> dltype(T) === found[].dtype, STORED_TYPES) : nothing
    T = k === nothing ? Any : STORED_TYPES[k]
    return Item(kind, T, extents[1:rank], found[].chunked == 1 ? chunk[1:rank] : nothing)
end

shown(name, ::Nothing) = name
shown(name, attribute) = "$attribute of $name"

function tensor_item(file, name, attribute = nothing)
    found = item(file, name, attribute)
    found.kind === :none && throw(KeyError(shown(name, attribute)))
    found.kind === :tensor || throw(ArgumentError("\"$(shown(name, attribute))\" is no tensor that can be read"))
    return found
end

Base.size(file::TensorFile, name::AbstractString) = Tuple(tensor_item(file, name).size)
Base.eltype(file::TensorFile, name::AbstractString) = tensor_item(file, name).eltype
Base.haskey(file::TensorFile, name::AbstractString) = item(file, name).kind !== :none
Base.keys(file::TensorFile, group::AbstractString = "/") = names(file, group, false)
Base.delete!(file::TensorFile, name::AbstractString) = (call(h -> file_remove(h, name, nothing), file); file)

"Names within a group, or of attributes."
function names(file, name, attributes)
    text = call(h -> engine_text((buffer, len) -> file_names(h, name, attributes, buffer, len)), file)
    return [unescape_string(line) for line in split(text, '\n'; keepempty = false)]
end

read_tensor!(file, name, attribute, A, first = nothing, step = nothing) =
    described(A, "the output") do tensor, conj
        conj && throw(ArgumentError("the output is an adjoint of complex numbers; read into its parent"))
        call(h -> file_read(h, name, attribute, tensor, first, step), file)
        A
    end

function read_tensor(file, name, attribute = nothing)
    found = tensor_item(file, name, attribute)
    A = Array{found.eltype}(undef, found.size...)
    read_tensor!(file, name, attribute, A)
    return isempty(found.size) ? A[] : A
end

"""
    read!(file::TensorFile, name, A)

Read a tensor into the array `A` of its size, which may be any strided one, and return `A`. Floating-point numbers of
another precision are converted.
"""
Base.read!(file::TensorFile, name::AbstractString, A::AbstractArray) = read_tensor!(file, name, nothing, A)

"""
    selection(size, indices) -> first, step, count, kept, reversed

A part of a tensor as the engine takes it, from 0 and in positive steps; which axes are kept, and which of them are to
be reversed.
"""
function selection(name, sz, indices)
    length(indices) == length(sz) || throw(DimensionMismatch(
        "\"$name\" has size $(Tuple(sz)), which needs $(length(sz)) indices, not $(length(indices))"))
    ranges = map((i, n) -> i isa Colon ? (1:n) : i isa Integer ? (i:i) : i, Tuple(indices), Tuple(sz))
    for (i, n) in zip(ranges, sz)
        i isa AbstractRange{<:Integer} ||
            throw(ArgumentError("an index of part of a tensor is an integer, a range or a colon"))
        isempty(i) || (1 <= minimum(i) && maximum(i) <= n) ||
            throw(BoundsError("\"$name\" of size $(Tuple(sz))", indices))
    end
    first = Int64[isempty(i) ? 0 : minimum(i) - 1 for i in ranges]
    steps = Int64[isempty(i) || length(i) == 1 ? 1 : abs(step(i)) for i in ranges]
    kept = [d for d in eachindex(ranges) if !(indices[d] isa Integer)]
    reversed = [length(i) > 1 && step(i) < 0 for i in ranges]
    return first, steps, map(length, ranges), kept, reversed
end

"The view of `A` that runs backwards along the axes that are `reversed`."
turned(A, reversed) = any(reversed) ? view(A, (r ? (n:-1:1) : (1:n) for (r, n) in zip(reversed, size(A)))...) : A

function Base.getindex(file::TensorFile, name::AbstractString, index, indices...)
    indices = (index, indices...)
    found = tensor_item(file, name)
    first, steps, count, kept, reversed = selection(name, found.size, indices)
    A = Array{found.eltype}(undef, count...)
    read_tensor!(file, name, nothing, turned(A, reversed), first, steps)
    return isempty(kept) ? only(A) : reshape(A, count[kept]...)
end

function Base.setindex!(file::TensorFile, A, name::AbstractString, index, indices...)
    indices = (index, indices...)
    found = tensor_item(file, name)
    first, steps, count, kept, reversed = selection(name, found.size, indices)
    B = A isa Number ? fill(convert(found.eltype, A), count...) : strided(A)
    size(B) == Tuple(count[kept]) || A isa Number || throw(DimensionMismatch(
        "the part of \"$name\" has size $(Tuple(count[kept])), and the value $(size(B))"))
    eltype(B) === found.eltype || (B = convert(Array{found.eltype}, B))
    described(turned(reshape(B, count...), reversed), "the value of part of \"$name\"") do tensor, conj
        call(h -> file_write_part(h, name, tensor, conj, first, steps), file)
    end
    return A
end

function read_text(file::TensorFile, name, attribute = nothing)
    return call(h -> engine_text((buffer, len) -> file_read_text(h, name, attribute, buffer, len)), file)
end

function write_text(file::TensorFile, name, attribute, text; fixed = false)
    '\0' in text && throw(ArgumentError("the text of \"$(shown(name, attribute))\" contains a NUL character"))
    call(h -> file_write_text(h, name, attribute, text, fixed), file)
end

"""
    Attributes

The attributes of something in a file, as a dictionary: numbers, arrays and texts by their names; see
[`TensorOxide.attributes`](@ref).
"""
struct Attributes <: AbstractDict{String,Any}
    file::TensorFile
    name::String
end

"""
    TensorOxide.attributes(file, name)

The attributes of what has the name in an open file (`"/"` is the file itself), as a dictionary: reading from it reads,
writing to it writes, `delete!` removes.
"""
function attributes(file::TensorFile, name::AbstractString)
    haskey(file, name) || throw(KeyError(name))
    return Attributes(file, name)
end

Base.keys(a::Attributes) = names(a.file, a.name, true)
Base.length(a::Attributes) = length(keys(a))
Base.haskey(a::Attributes, key::AbstractString) = item(a.file, a.name, key).kind !== :none
Base.iterate(a::Attributes, (left, k) = (keys(a), 1)) =
    k > length(left) ? nothing : (left[k] => a[left[k]], (left, k + 1))
Base.delete!(a::Attributes, key::AbstractString) = (call(h -> file_remove(h, a.name, key), a.file); a)
Base.get(a::Attributes, key::AbstractString, default) = haskey(a, key) ? a[key] : default

Base.getindex(a::Attributes, key::AbstractString) =
    item(a.file, a.name, key).kind === :text ? read_text(a.file, a.name, key) : read_tensor(a.file, a.name, key)

Base.setindex!(a::Attributes, text::AbstractString, key::AbstractString) = (write_text(a.file, a.name, key, text); a)
Base.setindex!(a::Attributes, x::Number, key::AbstractString) = (a[key] = fill(x); a)
Base.setindex!(a::Attributes, A::AbstractArray, key::AbstractString) = (write_tensor(a.file, a.name, key, A); a)
