# One plan, and one table of remembered plans, used from many tasks on several threads at once; exits with 1 if a result
# differs. Started by plans.jl, because the number of threads is fixed when Julia starts.
using TensorOxide, LinearAlgebra

function tasks(n)
    plan = contraction_plan("abc,cde->abde", [(6, 2, 6), (6, 2, 6)]; eltype = ComplexF64)
    spawned = map(1:n) do k
        Threads.@spawn begin
            A, B = fill(ComplexF64(k), 6, 2, 6), fill(1.0im, 6, 2, 6)
            C = similar(A, 6, 2, 2, 6)
            right = 0
            for trial in 1:200
                plan(C, A, B)
                right += all(isequal(6im * k), C)
                m = 1 + (k + trial) % 300
                right += einsum("i,i->", ones(m), fill(Float64(k), m)) == m * k
                U, S, Vᴴ = TensorOxide.svd_compact([k 0.0; 0.0 trial])
                right += S == [max(k, trial), min(k, trial)]
                trial % 50 == 0 && GC.gc(false)
            end
            right
        end
    end
    return all(task -> fetch(task) == 600, spawned)
end

Threads.nthreads() > 1 || error("started with one thread")
tasks(16) || exit(1)
