# Matrix product states and operators as ITensorMPS.jl keeps them in HDF5 files (its own layout, version 1): each
# tensor has indices with identities, and tensors are connected where they share one. Dense tensors only.

using Random: RandomDevice

"An index of a tensor in a file of ITensor's: its identity, extent, tags and prime level."
struct ITensorIndex
    id::UInt64
    dim::Int
    tags::String
    plev::Int
end

ITensorIndex(dim, tags; plev = 0) = ITensorIndex(rand(RandomDevice(), UInt64), dim, tags, plev)
same(a::ITensorIndex, b::ITensorIndex) = a.id == b.id && a.plev == b.plev && a.tags == b.tags

# ITensor's objects are groups that say what they are.
function make_object(file, name, type)
    call(h -> file_make_group(h, name), file)
    write_text(file, name, "type", type; fixed = true)
    attributes(file, name)["version"] = 1
end

function check_object(file, name, types...)
    haskey(file, name) || throw(KeyError(name))
    type = get(attributes(file, name), "type", "no object of ITensor's")
    type in types || throw(ArgumentError("\"$name\" is $type; $(join(types, " or ")) is needed"))
    return type
end

function write_index(file, name, index::ITensorIndex)
    make_object(file, name, "Index")
    for (key, value) in ("id" => index.id, "dim" => index.dim, "dir" => 0, "plev" => index.plev)
        write(file, "$name/$key", value)
    end
    make_object(file, "$name/tags", "TagSet")
    write_text(file, "$name/tags/tags", nothing, index.tags; fixed = true)
    write_text(file, name, "space_type", "Int"; fixed = true)
end

function read_index(file, name)
    check_object(file, name, "Index")
    get(attributes(file, name), "space_type", "Int") == "Int" || throw(ArgumentError(
        "the index \"$name\" has quantum numbers; only dense tensors are read"))
    id, dim, tags, plev = (read(file, "$name/$key") for key in ("id", "dim", "tags/tags", "plev"))
    return ITensorIndex(id, dim, tags, plev)
end

function write_tensor_object(file, name, A::AbstractArray{T}, indices; options...) where {T<:Element}
    make_object(file, name, "ITensor")
    make_object(file, "$name/inds", "IndexSet")
    write(file, "$name/inds/length", length(indices))
    foreach(((k, index),) -> write_index(file, "$name/inds/index_$k", index), enumerate(indices))
    make_object(file, "$name/storage", "Dense{$(type_name(T))}")
    write(file, "$name/storage/data", vec(A isa Array ? A : Array(A)); options...)
end

# As newer versions of Julia print them.
type_name(T) = T === ComplexF64 ? "ComplexF64" : T === ComplexF32 ? "ComplexF32" : string(T)

function read_tensor_object(file, name)
    check_object(file, name, "ITensor")
    indices = [read_index(file, "$name/inds/index_$k") for k in 1:read(file, "$name/inds/length")]
    # Files from before version 0.2 of ITensors.jl say `store`.
    storage = haskey(file, "$name/storage") ? "$name/storage" : "$name/store"
    type = get(attributes(file, storage), "type", "")
    startswith(type, "Dense{") || throw(ArgumentError("the tensor \"$name\" is stored as $type; only Dense is read"))
    data = read(file, "$storage/data")
    # The C++ library has pairs of real numbers.
    if haskey(attributes(file, "$storage/data"), "__complex__")
        data = reinterpret(Complex{eltype(data)}, vec(data))
    end
    length(data) == mapreduce(index -> index.dim, *, indices; init = 1) || throw(DimensionMismatch(
        "the tensor \"$name\" has $(length(data)) elements, and indices of $(join((i.dim for i in indices), '×'))"))
    return reshape(Array(data), (i.dim for i in indices)...), indices
end

"""
    TensorOxide.write_itensor(file, name, ψ; sites = nothing, tags = "Site", limits = (0, length(ψ) + 1), options…)

Write a matrix product state, a vector of arrays `(left bond, physical, right bond)`, or an operator, of arrays `(left
bond, out, in, right bond)`, to an open file as ITensorMPS.jl does, so that `read(h5file, name, MPS)` or `MPO` there
reads it. The bonds at the ends have extent 1 and are left out there.

- `sites`: the physical indices, as [`TensorOxide.read_itensor`](@ref) returns them; by default new ones. A state and an
  operator go together when they have the same.
- `tags`: of new indices, `"tags,n=1"` and so on.
- `limits`: the sites `(l, r)` up to which tensors are left-orthogonal, and from which on right-orthogonal; with the
  centre of orthogonality on site `k` they are `(k - 1, k + 1)`. By default nothing is claimed.

The other options are those of [`TensorOxide.save`](@ref).
"""
function write_itensor(file::TensorFile, name::AbstractString, ψ::AbstractVector{<:AbstractArray}; sites = nothing,
                       tags = "Site", limits = (0, length(ψ) + 1), options...)
    N = length(ψ)
    ranks = unique(map(ndims, ψ))
    ranks == [3] || ranks == [4] ||
        throw(ArgumentError("tensors of a state have three indices, those of an operator four"))
    type = ranks == [3] ? "MPS" : "MPO"
    bonds = [size(ψ[n], ndims(ψ[n])) for n in 1:N-1]
    size(first(ψ), 1) == size(last(ψ), ndims(last(ψ))) == 1 ||
        throw(DimensionMismatch("the bonds at the ends have extent 1"))
    all(n -> size(ψ[n+1], 1) == bonds[n], 1:N-1) ||
        throw(DimensionMismatch("neighbours disagree about the bond between them"))
    sites = sites === nothing ? [ITensorIndex(size(ψ[n], 2), "$tags,n=$n") for n in 1:N] : sites
    length(sites) == N && all(n -> all(==(sites[n].dim), size(ψ[n])[2:end-1]), 1:N) || throw(DimensionMismatch(
        "the sites do not have the extents of the tensors' physical indices"))
    links = [ITensorIndex(bonds[n], "Link,l=$n") for n in 1:N-1]
    make_object(file, name, type)
    for (key, value) in ("length" => N, "rlim" => limits[2], "llim" => limits[1])
        write(file, "$name/$key", value)
    end
    for n in 1:N
        physical = type == "MPS" ? [sites[n]] : [primed(sites[n]), sites[n]]
        indices = [n > 1 ? links[n-1:n-1] : ITensorIndex[]; physical; n < N ? links[n:n] : ITensorIndex[]]
        A = reshape(strided(ψ[n]), (index.dim for index in indices)...)
        write_tensor_object(file, "$name/$type[$n]", A, indices; options...)
    end
end

primed(index::ITensorIndex) = ITensorIndex(index.id, index.dim, index.tags, index.plev + 1)

"""
    TensorOxide.read_itensor(file, name) -> ψ, sites, limits

Read a matrix product state or operator of dense tensors that ITensorMPS.jl, the C++ version of ITensor or
[`TensorOxide.write_itensor`](@ref) wrote, from an open file. The arrays are `(left bond, physical, right bond)`, or
`(left bond, out, in, right bond)`, in whatever order the indices were; bonds that are not there have extent 1.
"""
function read_itensor(file::TensorFile, name::AbstractString)
    type = check_object(file, name, "MPS", "MPO")
    N = read(file, "$name/length")
    read_one(n) = read_tensor_object(file, "$name/$type[$n]")
    tensors = [read_one(n) for n in 1:N]
    physical = type == "MPS" ? 1 : 2
    sites = ITensorIndex[]
    arrays = map(1:N) do n
        A, indices = tensors[n]
        bond(m) = 1 <= m <= N ? findall(i -> any(j -> same(i, j), tensors[m][2]), indices) : Int[]
        left, right = bond(n - 1), bond(n + 1)
        rest = setdiff(eachindex(indices), left, right)
        length(left) <= 1 && length(right) <= 1 && length(rest) == physical && isempty(intersect(left, right)) ||
            throw(ArgumentError("\"$name/$type[$n]\" has not $physical physical and one bond index to each neighbour"))
        # The outgoing index of an operator is the primed one.
        sort!(rest; by = k -> -indices[k].plev)
        push!(sites, indices[last(rest)])
        B = permutedims(A, [left; rest; right])
        extents = [indices[k].dim for k in rest]
        reshape(B, isempty(left) ? 1 : indices[left[1]].dim, extents..., isempty(right) ? 1 : indices[right[1]].dim)
    end
    return arrays, sites, (read(file, "$name/llim"), read(file, "$name/rlim"))
end
