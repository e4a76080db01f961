# The written reference cases: the engine gives their answers, and so does the plain reference that other tests use.
using TensorOxide, Test

const FOLDER = joinpath(@__DIR__, "standard")

"A tensor from its text; complex if one of its entries is written so."
function tensor(text)
    words = split(text)
    shape = words[1] == "-" ? () : Tuple(parse.(Int, split(words[1], 'x')))
    complex = any(endswith('i'), words)
    number(word) = complex ? parse(ComplexF64, replace(word, r"i$" => "im")) : parse(Float64, word)
    return reshape([number(word) for word in words[2:end]], shape)
end

"The cases of a file: so many fields as they stand, then a list of tensors."
function cases(file, fields)
    lines = filter(line -> occursin(r"^[^#]*\|", line), readlines(joinpath(FOLDER, file)))
    return map(lines) do line
        texts = String.(strip.(split(line, '|')))
        (texts[1:fields]..., tensor.(texts[fields+1:end]))
    end
end
retyped(T, A) = copyto!(similar(A, T), A)

@testset "contractions, exactly" begin
    for (expression, flags, tensors) in cases("einsum.txt", 2)
        As, expected = tensors[1:end-1], tensors[end]
        conj = Tuple(flag == '1' for flag in flags)
        for T in (any(A -> eltype(A) <: Complex, tensors) ? TYPES[3:4] : TYPES)
            C = einsum(expression, (retyped(T, A) for A in As)...; conj = conj)
            @test size(C) == size(expected)
            @test C == (ndims(expected) == 0 ? expected[] : expected)
            @test C isa (ndims(expected) == 0 ? T : Array{T})
        end
        value, _, shape, _ = reference(expression, As; conj = conj)
        @test value == vec(expected) && shape == Int[size(expected)...]
    end
end

@testset "decompositions" begin
    for (f, tensors) in cases("linalg.txt", 1)
        for T in (eltype(tensors[1]) <: Complex ? TYPES[3:4] : TYPES)
            factors = getfield(TensorOxide, Symbol(f))(retyped(T, tensors[1]))
            # Condition numbers of the written cases, through gaps and smallest values, stay below 100.
            for (F, G) in zip(factors, tensors[2:end])
                @test eltype(F) === (G isa Vector ? real(T) : T)
                @test size(F) == size(G) && maximum(abs.(F .- G)) <= 1000 * eps(real(T)) * maximum(abs.(tensors[1]))
            end
        end
    end
end
