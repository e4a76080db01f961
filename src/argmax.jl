# The configuration that attains an optimum.

"""
    TensorOxide.argmax_config(expression, A, B, …; semiring = MaxPlus()) -> value, labels => configuration
    TensorOxide.argmax_config(plan, A, B, …) -> value, labels => configuration

The contraction over `semiring`, `MaxPlus()`, `MinPlus()` or `MaxTimes()`, and the values of the labels that attain it:
the most probable assignment of a graphical model, the ground state of a spin glass. `labels` are all labels of the
expression, strings (integers if the expression is one of integer labels); `configuration[k]` is the index, from 1, of
`labels[k]`. Where the expression leaves labels open, `value` is an array, and `configuration[k, i, j, …]` belongs to
`value[i, j, …]`. An element that is the sum of nothing has a configuration of zeros.

Of several configurations that attain an optimum the same one is returned in every call of the same plan, and so with
the same expression and shapes; which, depends on the order of the contraction. All intermediate results are kept until
the end: a `plan` may have no slices.

```jldoctest
julia> using TensorOxide

julia> bonds, J = [(1, 2), (2, 3), (3, 4), (1, 4), (1, 3)], [1, -1, 1, 1, -1];

julia> tensors = [[j -j; -j j] for j in J];

julia> value, (sites, places) = TensorOxide.argmax_config(bonds => (), tensors...);

julia> spin = Dict(zip(sites, 3 .- 2 .* places));

julia> value, sum(j * spin[s] * spin[t] for (j, (s, t)) in zip(J, bonds))
(3.0, 3)
```
"""
function argmax_config(expression::Union{AbstractString,Pair}, @nospecialize(As...); semiring::Semiring = MaxPlus())
    check_selective(semiring)
    T = element_type(semiring, As)
    Bs = prepare(T, As)
    return argmax_config(cached_plan(semiring, T, expression, Bs, nothing), Bs...)
end

function argmax_config(plan::ContractionPlan{T,N}, @nospecialize(As...)) where {T,N}
    check_selective(plan.semiring)
    operands = Any[operand(T, A, k) for (k, A) in enumerate(As)]
    names = split(engine_text((buffer, len) -> plan_labels(plan.handle, buffer, len)), '\n'; keepempty = false)
    C = Array{T,N}(undef, plan.output_size)
    places = Array{Int64}(undef, length(names), plan.output_size...)
    foreach(((k, A),) -> layout(A, k), enumerate(operands))     # refuses what is not strided, by its number
    arrays = Any[operands; Any[C]; Any[places]]
    frame = Vector{Int64}(undef, words(arrays) + 1)
    GC.@preserve plan frame arrays begin
        tensors = convert(Ptr{DLTensor}, pointer(frame))
        flags = convert(Ptr{UInt8}, tensor(tensors, length(arrays) + 1))
        place_all!(tensors, 1, flags, convert(Ptr{Int64}, flags) + 8length(arrays), arrays)
        count = length(operands)
        plan_argmax(plan.handle, tensors, count, tensor(tensors, count + 1), tensor(tensors, count + 2))
    end
    places .+= 1
    integers = !isempty(names) && all(name -> startswith(name, '{'), names)
    labels = integers ? Int[parse(Int, strip(name, ['{', '}'])) for name in names] : String.(names)
    return (N == 0 ? C[] : C), labels => places
end

check_selective(::Selective) = nothing
check_selective(semiring) = throw(ArgumentError(string("a sum over ",
    semiring === nothing ? "numbers" : string(nameof(typeof(semiring)), "()"),
    " is none of its terms: no configuration attains it")))
