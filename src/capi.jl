# The raw calls into the engine: its structs as Julia sees them, one function per entry of the C ABI, and the exception
# that belongs to each status. The addresses are looked up once, when the package is loaded.

"The version of the C ABI that this package speaks; the library has to answer the same."
const ABI_VERSION = UInt32(5)

"Element types of the engine's tensors."
const Element = Union{Float32,Float64,ComplexF32,ComplexF64}

# DLPack's structs, field by field.
struct DLDevice
    device_type::Int32
    device_id::Int32
end

struct DLDataType
    code::UInt8
    bits::UInt8
    lanes::UInt16
end

struct DLTensor
    data::Ptr{Cvoid}
    device::DLDevice
    ndim::Int32
    dtype::DLDataType
    shape::Ptr{Int64}
    strides::Ptr{Int64}
    byte_offset::UInt64
end

const CPU = DLDevice(1, 0)
dltype(::Type{T}) where {T<:Union{Float32,Float64}} = DLDataType(2, 8sizeof(T), 1)
dltype(::Type{T}) where {T<:Union{ComplexF32,ComplexF64}} = DLDataType(5, 8sizeof(T), 1)
# An output of these would be written as what it is not: a `BigFloat` is as long as a `Float64`.
dltype(::Type{T}) where {T} = throw_unsupported(T, "an array")

struct PlanRequest
    expression::Ptr{UInt8}
    operands::Csize_t
    ranks::Ptr{Int32}
    extents::Ptr{Int64}
    conj::Ptr{UInt8}
    semiring::Int32
    dtype::DLDataType
    memory_limit::UInt64
    path::Ptr{UInt8}
    path_form::Int32
    minimize::Int32
    seed::UInt64
    search_time::Float64
end

struct PlanInfo
    operands::UInt64
    output_rank::UInt64
    steps::UInt64
    slices::UInt64
    peak_bytes::UInt64
    flops::Float64
    dtype::DLDataType
    log10_flops::Float64
    log2_size::Float64
end
PlanInfo() = PlanInfo(0, 0, 0, 0, 0, 0.0, DLDataType(0, 0, 0), 0.0, 0.0)

struct Truncation
    maxrank::Int64
    minrank::Int64
    atol::Float64
    rtol::Float64
    discarded_weight::Float64
    keep_multiplets::Int32
    method::Int32
    seed::UInt64
    tol::Float64
end

struct RuleOptions
    operation::Int32
    variant::Int32
    report_gauge::Int32
    free_phases::Int32
    gauge_tolerance::Float64
    degeneracy::Float64
end

struct RunOptions
    workspace::Ptr{Cvoid}
    provider::Int32
end

struct KrylovProblem
    method::Int32
    which::Int32
    howmany::Csize_t
    krylovdim::Csize_t
    maxiter::Csize_t
    tol::Float64
    rtol::Float64
    eager::Int32
    t_re::Float64
    t_im::Float64
    a0_re::Float64
    a0_im::Float64
    a1_re::Float64
    a1_im::Float64
end

struct KrylovInfo
    converged::UInt64
    numiter::UInt64
    numops::UInt64
    results::UInt64
end

struct StorageOptions
    compress::Int32
    shuffle::Int32
    checksum::Int32
    chunk::Ptr{Int64}
end

struct StorageItem
    kind::Int32
    dtype::DLDataType
    rank::Csize_t
    chunked::Int32
end
struct MPILibrary
    handle_size::Csize_t
    communicator::UInt64
    byte::UInt64
    errors_return::UInt64
    any_source::Int32
    thread_serialized::Int32
    functions::NTuple{14,Ptr{Cvoid}}
end

struct SharedInfo
    plan::PlanInfo
    leaves::UInt64
    threads::UInt64
    slicing_overhead::Float64
end
SharedInfo() = SharedInfo(PlanInfo(), 0, 0, 1.0)

struct SplitInfo
    peak_bytes::UInt64
    sent_bytes::UInt64
    multiplications::Float64
end
SplitInfo() = SplitInfo(0, 0, 0.0)

"Addresses of the engine's functions; a field has the name of its symbol."
struct Engine
    tox_version::Ptr{Cvoid}
    tox_last_error::Ptr{Cvoid}
    tox_set_num_threads::Ptr{Cvoid}
    tox_num_threads::Ptr{Cvoid}
    tox_lend_blas::Ptr{Cvoid}
    tox_lend_lapack::Ptr{Cvoid}
    tox_is_lent::Ptr{Cvoid}
    tox_set_provider::Ptr{Cvoid}
    tox_provider::Ptr{Cvoid}
    tox_contract::Ptr{Cvoid}
    tox_plan_create::Ptr{Cvoid}
    tox_plan_destroy::Ptr{Cvoid}
    tox_plan_run::Ptr{Cvoid}
    tox_plan_info::Ptr{Cvoid}
    tox_plan_output_shape::Ptr{Cvoid}
    tox_plan_describe::Ptr{Cvoid}
    tox_plan_path::Ptr{Cvoid}
    tox_plan_labels::Ptr{Cvoid}
    tox_plan_argmax::Ptr{Cvoid}
    tox_workspace_create::Ptr{Cvoid}
    tox_workspace_destroy::Ptr{Cvoid}
    tox_svd_compact::Ptr{Cvoid}
    tox_svd_trunc::Ptr{Cvoid}
    tox_qr_compact::Ptr{Cvoid}
    tox_eigh_full::Ptr{Cvoid}
    tox_krylov_create::Ptr{Cvoid}
    tox_krylov_destroy::Ptr{Cvoid}
    tox_krylov_start::Ptr{Cvoid}
    tox_krylov_next::Ptr{Cvoid}
    tox_krylov_run_plan::Ptr{Cvoid}
    tox_krylov_info::Ptr{Cvoid}
    tox_krylov_result::Ptr{Cvoid}
    tox_svd_full::Ptr{Cvoid}
    tox_svd_vals::Ptr{Cvoid}
    tox_qr_full::Ptr{Cvoid}
    tox_qr_null::Ptr{Cvoid}
    tox_lq_compact::Ptr{Cvoid}
    tox_lq_full::Ptr{Cvoid}
    tox_lq_null::Ptr{Cvoid}
    tox_left_polar::Ptr{Cvoid}
    tox_right_polar::Ptr{Cvoid}
    tox_qr_pivoted::Ptr{Cvoid}
    tox_eigh_vals::Ptr{Cvoid}
    tox_eigh_range::Ptr{Cvoid}
    tox_eigh_trunc::Ptr{Cvoid}
    tox_hermitian_function::Ptr{Cvoid}
    tox_expm::Ptr{Cvoid}
    tox_norm::Ptr{Cvoid}
    tox_lu::Ptr{Cvoid}
    tox_lu_complete::Ptr{Cvoid}
    tox_cholesky::Ptr{Cvoid}
    tox_solve::Ptr{Cvoid}
    tox_solve_triangular::Ptr{Cvoid}
    tox_inv::Ptr{Cvoid}
    tox_det::Ptr{Cvoid}
    tox_logabsdet::Ptr{Cvoid}
    tox_lstsq::Ptr{Cvoid}
    tox_pinv::Ptr{Cvoid}
    tox_eig_full::Ptr{Cvoid}
    tox_eig_vals::Ptr{Cvoid}
    tox_schur_full::Ptr{Cvoid}
    tox_schur_vals::Ptr{Cvoid}
    tox_krylov_complex_result::Ptr{Cvoid}
    tox_gradient_create::Ptr{Cvoid}
    tox_gradient_destroy::Ptr{Cvoid}
    tox_gradient_run::Ptr{Cvoid}
    tox_gradient_forward::Ptr{Cvoid}
    tox_gradient_jvp::Ptr{Cvoid}
    tox_gradient_pullback_jvp::Ptr{Cvoid}
    tox_record_pullback::Ptr{Cvoid}
    tox_record_destroy::Ptr{Cvoid}
    tox_rule_jvp::Ptr{Cvoid}
    tox_rule_vjp::Ptr{Cvoid}
    tox_rule_hvp::Ptr{Cvoid}
    tox_hdf5_load::Ptr{Cvoid}
    tox_hdf5_describe::Ptr{Cvoid}
    tox_file_open::Ptr{Cvoid}
    tox_file_commit::Ptr{Cvoid}
    tox_file_destroy::Ptr{Cvoid}
    tox_file_write::Ptr{Cvoid}
    tox_file_create::Ptr{Cvoid}
    tox_file_write_part::Ptr{Cvoid}
    tox_file_read::Ptr{Cvoid}
    tox_file_write_text::Ptr{Cvoid}
    tox_file_read_text::Ptr{Cvoid}
    tox_file_make_group::Ptr{Cvoid}
    tox_file_remove::Ptr{Cvoid}
    tox_file_item::Ptr{Cvoid}
    tox_file_names::Ptr{Cvoid}
    tox_communicator_create::Ptr{Cvoid}
    tox_communicator_rank::Ptr{Cvoid}
    tox_communicator_free::Ptr{Cvoid}
    tox_communicator_destroy::Ptr{Cvoid}
    tox_shared_create::Ptr{Cvoid}
    tox_shared_destroy::Ptr{Cvoid}
    tox_shared_info::Ptr{Cvoid}
    tox_shared_output_shape::Ptr{Cvoid}
    tox_shared_describe::Ptr{Cvoid}
    tox_shared_run::Ptr{Cvoid}
    tox_communicator_sum::Ptr{Cvoid}
    tox_split_create::Ptr{Cvoid}
    tox_split_destroy::Ptr{Cvoid}
    tox_split_info::Ptr{Cvoid}
    tox_split_shape::Ptr{Cvoid}
    tox_split_run::Ptr{Cvoid}

end

# NULL until the engine is loaded: Julia then throws instead of calling it.
const ENGINE = Ref(Engine(ntuple(_ -> C_NULL, fieldcount(Engine))...))

"Look up every function of the loaded library `handle`."
function attach(handle::Ptr{Cvoid})
    addresses = convert(Ptr{Ptr{Cvoid}}, pointer_from_objref(ENGINE))
    for k in 1:fieldcount(Engine)
        unsafe_store!(addresses, Libdl.dlsym(handle, fieldname(Engine, k)), k)
    end
end

engine_version() = unsafe_string(ccall(ENGINE[].tox_version, Cstring, ()))

set_threads(n) = check(ccall(ENGINE[].tox_set_num_threads, Int32, (Csize_t,), n))
threads() = Int(ccall(ENGINE[].tox_num_threads, Csize_t, ()))

lend_blas(routine, f) = check(ccall(ENGINE[].tox_lend_blas, Int32, (Cstring, Ptr{Cvoid}), routine, f))
lend_lapack(routine, f) = check(ccall(ENGINE[].tox_lend_lapack, Int32, (Cstring, Ptr{Cvoid}), routine, f))
is_lent(routine) = ccall(ENGINE[].tox_is_lent, Int32, (Cstring,), routine) == 1
set_engine_provider(p) = check(ccall(ENGINE[].tox_set_provider, Int32, (Int32,), p))
engine_provider() = ccall(ENGINE[].tox_provider, Int32, ())

plan_create(request, handle) =
    check(ccall(ENGINE[].tox_plan_create, Int32, (Ref{PlanRequest}, Ptr{Ptr{Cvoid}}), request, handle))
plan_destroy(handle) = ccall(ENGINE[].tox_plan_destroy, Cvoid, (Ptr{Cvoid},), handle)
plan_info(handle, info) = check(ccall(ENGINE[].tox_plan_info, Int32, (Ptr{Cvoid}, Ptr{PlanInfo}), handle, info))
plan_output_shape(handle, extents) =
    check(ccall(ENGINE[].tox_plan_output_shape, Int32, (Ptr{Cvoid}, Ptr{Int64}, Csize_t), handle, extents,
                length(extents)))
plan_describe(handle, buffer, len) =
    check(ccall(ENGINE[].tox_plan_describe, Int32, (Ptr{Cvoid}, Ptr{UInt8}, Csize_t, Ptr{Csize_t}), handle, buffer,
                length(buffer), len))

"The text that `write(buffer, len)` puts into a buffer of enough bytes."
function engine_text(write)
    len = Ref{Csize_t}(0)
    buffer = UInt8[]
    write(buffer, len)
    resize!(buffer, len[] + 1)
    write(buffer, len)
    return String(resize!(buffer, len[]))
end

plan_path(handle, form, buffer, len) =
    check(ccall(ENGINE[].tox_plan_path, Int32, (Ptr{Cvoid}, Int32, Ptr{UInt8}, Csize_t, Ptr{Csize_t}), handle, form,
                buffer, length(buffer), len))
@inline plan_run(handle, operands, count, conj, output, α::ComplexF64, β::ComplexF64) =
    check(ccall(ENGINE[].tox_plan_run, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{UInt8}, Ptr{DLTensor}, Cdouble, Cdouble, Cdouble, Cdouble),
                handle, operands, count, conj, output, real(α), imag(α), real(β), imag(β)))

@inline contract(tensors, labels, conj, α::ComplexF64, β::ComplexF64) =
    check(ccall(ENGINE[].tox_contract, Int32,
                (Ptr{DLTensor}, Ptr{Int32}, Ptr{UInt8}, Cdouble, Cdouble, Cdouble, Cdouble),
                tensors, labels, conj, real(α), imag(α), real(β), imag(β)))

plan_labels(handle, buffer, len) =
    check(ccall(ENGINE[].tox_plan_labels, Int32, (Ptr{Cvoid}, Ptr{UInt8}, Csize_t, Ptr{Csize_t}), handle, buffer,
                length(buffer), len))
plan_argmax(handle, operands, count, output, configuration) =
    check(ccall(ENGINE[].tox_plan_argmax, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{DLTensor}, Ptr{DLTensor}), handle, operands, count, output,
                configuration))

workspace_create(handle) = check(ccall(ENGINE[].tox_workspace_create, Int32, (Ptr{Ptr{Cvoid}},), handle))
workspace_destroy(handle) = ccall(ENGINE[].tox_workspace_destroy, Cvoid, (Ptr{Cvoid},), handle)

# `t` points to the DLTensors of the inputs and the outputs, in the order of the C signature.
tensor(t::Ptr{DLTensor}, k) = t + (k - 1) * sizeof(DLTensor)
engine_svd_compact(t, conj, run) =
    check(ccall(ENGINE[].tox_svd_compact, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), tensor(t, 3), tensor(t, 4), run))
engine_svd_trunc(t, conj, truncation, rank, ϵ, run) =
    check(ccall(ENGINE[].tox_svd_trunc, Int32,
                (Ptr{DLTensor}, Int32, Ref{Truncation}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{Int64},
                 Ptr{Cdouble}, Ptr{RunOptions}),
                t, conj, truncation, tensor(t, 2), tensor(t, 3), tensor(t, 4), rank, ϵ, run))
engine_qr_compact(t, conj, run) =
    check(ccall(ENGINE[].tox_qr_compact, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), tensor(t, 3), run))
engine_eigh_full(t, conj, run) =
    check(ccall(ENGINE[].tox_eigh_full, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), tensor(t, 3), run))

krylov_create(dtype, handle) =
    check(ccall(ENGINE[].tox_krylov_create, Int32, (DLDataType, Ptr{Ptr{Cvoid}}), dtype, handle))
krylov_destroy(handle) = ccall(ENGINE[].tox_krylov_destroy, Cvoid, (Ptr{Cvoid},), handle)
krylov_start(handle::Ptr, problem, x, b) =
    check(ccall(ENGINE[].tox_krylov_start, Int32, (Ptr{Cvoid}, Ref{KrylovProblem}, Ptr{DLTensor}, Ptr{DLTensor}),
                handle, problem, x, b))
krylov_next(handle, x, y) =
    check(ccall(ENGINE[].tox_krylov_next, Int32, (Ptr{Cvoid}, Ptr{Ptr{Cvoid}}, Ptr{Ptr{Cvoid}}), handle, x, y))
krylov_run_plan(handle, plan, operands, count, conj, free) =
    check(ccall(ENGINE[].tox_krylov_run_plan, Int32,
                (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{UInt8}, Csize_t),
                handle, plan, operands, count, conj, free))
krylov_info(handle, info) =
    check(ccall(ENGINE[].tox_krylov_info, Int32, (Ptr{Cvoid}, Ptr{KrylovInfo}), handle, info))
krylov_result(handle, i, value, normres, vector, residual) =
    check(ccall(ENGINE[].tox_krylov_result, Int32,
                (Ptr{Cvoid}, Csize_t, Ptr{Cdouble}, Ptr{Cdouble}, Ptr{DLTensor}, Ptr{DLTensor}),
                handle, i, value, normres, vector, residual))
krylov_complex_result(handle, i, value, normres, vector, residual) =
    check(ccall(ENGINE[].tox_krylov_complex_result, Int32,
                (Ptr{Cvoid}, Csize_t, Ptr{ComplexF64}, Ptr{Cdouble}, Ptr{DLTensor}, Ptr{DLTensor}),
                handle, i, value, normres, vector, residual))
# Functions of one input and of one, two or three outputs, without anything else.
for (outputs, names) in ((1, (:svd_vals, :qr_null, :lq_null, :eigh_vals, :expm, :eig_vals, :schur_vals)),
                         (2, (:qr_full, :lq_compact, :lq_full, :left_polar, :right_polar, :eig_full)),
                         (3, (:svd_full, :schur_full)))
    for name in names
        types = Expr(:tuple, :(Ptr{DLTensor}), :Int32, ntuple(_ -> :(Ptr{DLTensor}), outputs)..., :(Ptr{RunOptions}))
        tensors = [:(tensor(t, $(k + 1))) for k in 1:outputs]
        @eval $(Symbol(:engine_, name))(t, conj, run) =
            check(ccall(ENGINE[].$(Symbol(:tox_, name)), Int32, $types, t, conj, $(tensors...), run))
    end
end
engine_qr_pivoted(t, conj, atol, rtol, p, rank, run) =
    check(ccall(ENGINE[].tox_qr_pivoted, Int32,
                (Ptr{DLTensor}, Int32, Cdouble, Cdouble, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{Int64}, Ptr{Int64},
                 Ptr{RunOptions}),
                t, conj, atol, rtol, tensor(t, 2), tensor(t, 3), p, rank, run))
engine_eigh_range(t, conj, first, run) =
    check(ccall(ENGINE[].tox_eigh_range, Int32,
                (Ptr{DLTensor}, Int32, Int64, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, first, tensor(t, 2), tensor(t, 3), run))
engine_eigh_trunc(t, conj, truncation, rank, ϵ, run) =
    check(ccall(ENGINE[].tox_eigh_trunc, Int32,
                (Ptr{DLTensor}, Int32, Ref{Truncation}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{Int64}, Ptr{Cdouble},
                 Ptr{RunOptions}),
                t, conj, truncation, tensor(t, 2), tensor(t, 3), rank, ϵ, run))
engine_hermitian_function(t, conj, f, run) =
    check(ccall(ENGINE[].tox_hermitian_function, Int32,
                (Ptr{DLTensor}, Int32, Int32, Ptr{DLTensor}, Ptr{RunOptions}), t, conj, f, tensor(t, 2), run))
engine_norm(t, kind, run) =
    check(ccall(ENGINE[].tox_norm, Int32, (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{RunOptions}),
                t, kind, tensor(t, 2), run))

engine_lu(t, conj, run) =
    check(ccall(ENGINE[].tox_lu, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), tensor(t, 3), tensor(t, 4), run))
engine_lu_complete(t, conj, run) =
    check(ccall(ENGINE[].tox_lu_complete, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), tensor(t, 3), tensor(t, 4), tensor(t, 5), run))
function engine_cholesky(t, conj, run)
    index = Ref{Int64}(0)
    check(ccall(ENGINE[].tox_cholesky, Int32, (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ref{Int64}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), index, run), index)
end
function engine_solve(t, conj, run)
    index = Ref{Int64}(0)
    check(ccall(ENGINE[].tox_solve, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ref{Int64}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), false, tensor(t, 3), index, run), index)
end
function engine_solve_triangular(t, conj, upper, unit_diagonal, run)
    index = Ref{Int64}(0)
    check(ccall(ENGINE[].tox_solve_triangular, Int32,
                (Ptr{DLTensor}, Int32, Int32, Int32, Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ref{Int64}, Ptr{RunOptions}),
                t, conj, upper, unit_diagonal, tensor(t, 2), false, tensor(t, 3), index, run), index)
end
function engine_inv(t, conj, run)
    index = Ref{Int64}(0)
    check(ccall(ENGINE[].tox_inv, Int32, (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ref{Int64}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), index, run), index)
end
engine_det(t, conj, run) =
    check(ccall(ENGINE[].tox_det, Int32, (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), run))
engine_logabsdet(t, conj, run) =
    check(ccall(ENGINE[].tox_logabsdet, Int32, (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, tensor(t, 2), tensor(t, 3), run))
engine_lstsq(t, conj, atol, rtol, run) =
    check(ccall(ENGINE[].tox_lstsq, Int32,
                (Ptr{DLTensor}, Int32, Ptr{DLTensor}, Int32, Cdouble, Cdouble, Ptr{DLTensor}, Ptr{DLTensor},
                 Ptr{RunOptions}), t, conj, tensor(t, 2), false, atol, rtol, tensor(t, 3), tensor(t, 4), run))
engine_pinv(t, conj, atol, rtol, run) =
    check(ccall(ENGINE[].tox_pinv, Int32,
                (Ptr{DLTensor}, Int32, Cdouble, Cdouble, Ptr{DLTensor}, Ptr{RunOptions}),
                t, conj, atol, rtol, tensor(t, 2), run))

gradient_create(plan, handle) =
    check(ccall(ENGINE[].tox_gradient_create, Int32, (Ptr{Cvoid}, Ptr{UInt8}, Ptr{Ptr{Cvoid}}), plan, C_NULL, handle))
gradient_destroy(handle) = ccall(ENGINE[].tox_gradient_destroy, Cvoid, (Ptr{Cvoid},), handle)
gradient_run(handle, operands, count, cotangent, cotangents) =
    check(ccall(ENGINE[].tox_gradient_run, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{DLTensor}, Cdouble, Cdouble, Cdouble, Cdouble, Ptr{DLTensor},
                 Ptr{Ptr{DLTensor}}), handle, operands, count, C_NULL, 1, 0, 0, 0, cotangent, cotangents))
gradient_forward(handle, operands, count, output, record) =
    check(ccall(ENGINE[].tox_gradient_forward, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{DLTensor}, Cdouble, Cdouble, Cdouble, Cdouble, Ptr{Ptr{Cvoid}}),
                handle, operands, count, output, 1, 0, 0, 0, record))
gradient_jvp(handle, operands, count, tangents, tangent) =
    check(ccall(ENGINE[].tox_gradient_jvp, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{Ptr{DLTensor}}, Ptr{DLTensor}, Ptr{DLTensor}, Cdouble, Cdouble,
                 Cdouble, Cdouble), handle, operands, count, tangents, C_NULL, tangent, 1, 0, 0, 0))
gradient_pullback_jvp(handle, operands, count, tangents, cotangent, cotangent_tangent, cotangent_tangents) =
    check(ccall(ENGINE[].tox_gradient_pullback_jvp, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{Ptr{DLTensor}}, Cdouble, Cdouble, Ptr{DLTensor}, Ptr{DLTensor},
                 Ptr{Ptr{DLTensor}}, Ptr{Ptr{DLTensor}}), handle, operands, count, tangents, 1, 0, cotangent,
                cotangent_tangent, C_NULL, cotangent_tangents))
record_pullback(handle, operands, count, cotangent, cotangents) =
    check(ccall(ENGINE[].tox_record_pullback, Int32,
                (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{DLTensor}, Ptr{Ptr{DLTensor}}), handle, operands, count, cotangent,
                cotangents))
record_destroy(handle) = ccall(ENGINE[].tox_record_destroy, Cvoid, (Ptr{Cvoid},), handle)

# The lists hold a tensor's address, or NULL, for each operand.
for (name, lists) in ((:jvp, 4), (:vjp, 4), (:hvp, 6))
    types = Expr(:tuple, :(Ref{RuleOptions}), ntuple(_ -> :(Ptr{Ptr{DLTensor}}), lists)..., :(Ref{Cdouble}), :(Ref{RunOptions}))
    @eval $(Symbol(:engine_rule_, name))(rule, lists, gauge, run) =
        check(ccall(ENGINE[].$(Symbol(:tox_rule_, name)), Int32, $types, rule, $((:(lists[$k]) for k in 1:lists)...),
                    gauge, run))
end

# Names are strings; `nothing` in the place of an attribute means what has the name itself.
hdf5_load(path) = check(ccall(ENGINE[].tox_hdf5_load, Int32, (Cstring,), path))
hdf5_describe(buffer, len) =
    check(ccall(ENGINE[].tox_hdf5_describe, Int32, (Ptr{UInt8}, Csize_t, Ptr{Csize_t}), buffer, length(buffer), len))
hdf5_description() = engine_text(hdf5_describe)
file_open(path, mode, handle) =
    check(ccall(ENGINE[].tox_file_open, Int32, (Cstring, Int32, Ptr{Ptr{Cvoid}}), path, mode, handle))
file_commit(handle, sync) = check(ccall(ENGINE[].tox_file_commit, Int32, (Ptr{Cvoid}, Int32), handle, sync))
file_destroy(handle) = ccall(ENGINE[].tox_file_destroy, Cvoid, (Ptr{Cvoid},), handle)
file_write(handle, name, attribute, tensor, conj, options) =
    check(ccall(ENGINE[].tox_file_write, Int32,
                (Ptr{Cvoid}, Cstring, Cstring, Ref{DLTensor}, Int32, Ref{StorageOptions}),
                handle, name, something(attribute, C_NULL), tensor, conj, options), name)
file_create(handle, name, dtype, extents, options) =
    check(ccall(ENGINE[].tox_file_create, Int32,
                (Ptr{Cvoid}, Cstring, DLDataType, Csize_t, Ptr{Int64}, Ref{StorageOptions}),
                handle, name, dtype, length(extents), extents, options), name)
file_write_part(handle, name, tensor, conj, first, step) =
    check(ccall(ENGINE[].tox_file_write_part, Int32,
                (Ptr{Cvoid}, Cstring, Ref{DLTensor}, Int32, Ptr{Int64}, Ptr{Int64}),
                handle, name, tensor, conj, first, step), name)
file_read(handle, name, attribute, tensor, first, step) =
    check(ccall(ENGINE[].tox_file_read, Int32,
                (Ptr{Cvoid}, Cstring, Cstring, Ref{DLTensor}, Ptr{Int64}, Ptr{Int64}),
                handle, name, something(attribute, C_NULL), tensor, something(first, C_NULL), something(step, C_NULL)),
          shown(name, attribute))
file_write_text(handle, name, attribute, text, fixed) =
    check(ccall(ENGINE[].tox_file_write_text, Int32, (Ptr{Cvoid}, Cstring, Cstring, Cstring, Int32),
                handle, name, something(attribute, C_NULL), text, fixed), name)
file_read_text(handle, name, attribute, buffer, len) =
    check(ccall(ENGINE[].tox_file_read_text, Int32,
                (Ptr{Cvoid}, Cstring, Cstring, Ptr{UInt8}, Csize_t, Ptr{Csize_t}),
                handle, name, something(attribute, C_NULL), buffer, length(buffer), len), shown(name, attribute))
file_make_group(handle, name) =
    check(ccall(ENGINE[].tox_file_make_group, Int32, (Ptr{Cvoid}, Cstring), handle, name), name)
file_remove(handle, name, attribute) =
    check(ccall(ENGINE[].tox_file_remove, Int32, (Ptr{Cvoid}, Cstring, Cstring), handle, name,
                something(attribute, C_NULL)), shown(name, attribute))
file_item(handle, name, attribute, item, extents, chunk) =
    check(ccall(ENGINE[].tox_file_item, Int32,
                (Ptr{Cvoid}, Cstring, Cstring, Ptr{StorageItem}, Ptr{Int64}, Ptr{Int64}, Csize_t),
                handle, name, something(attribute, C_NULL), item, extents, chunk, length(extents)), name)
file_names(handle, name, attributes, buffer, len) =
    check(ccall(ENGINE[].tox_file_names, Int32,
                (Ptr{Cvoid}, Cstring, Int32, Ptr{UInt8}, Csize_t, Ptr{Csize_t}),
                handle, name, attributes, buffer, length(buffer), len), name)

# Of a name that is not in a file.
@inline check(status::Int32, name::AbstractString) = status == 16 ? throw(KeyError(name)) : check(status)
function communicator_create(mpi, timeout)
    handle = Ref(C_NULL)
    check(ccall(ENGINE[].tox_communicator_create, Int32, (Ref{MPILibrary}, Cdouble, Ptr{Ptr{Cvoid}}), mpi, timeout, handle))
    return handle[]
end
function communicator_rank(handle)
    rank, size = Ref{Int64}(0), Ref{Int64}(0)
    check(ccall(ENGINE[].tox_communicator_rank, Int32, (Ptr{Cvoid}, Ref{Int64}, Ref{Int64}), handle, rank, size))
    return rank[], size[]
end
communicator_free(handle) = check(ccall(ENGINE[].tox_communicator_free, Int32, (Ptr{Cvoid},), handle))
communicator_destroy(handle) = ccall(ENGINE[].tox_communicator_destroy, Cvoid, (Ptr{Cvoid},), handle)

function shared_create(communicator, request, slices)
    handle = Ref(C_NULL)
    check(ccall(ENGINE[].tox_shared_create, Int32, (Ptr{Cvoid}, Ref{PlanRequest}, Csize_t, Ptr{Ptr{Cvoid}}),
                communicator, request, slices, handle))
    return handle[]
end
shared_destroy(handle) = ccall(ENGINE[].tox_shared_destroy, Cvoid, (Ptr{Cvoid},), handle)
function shared_info(handle)
    info = Ref(SharedInfo())
    check(ccall(ENGINE[].tox_shared_info, Int32, (Ptr{Cvoid}, Ptr{SharedInfo}), handle, info))
    return info[]
end
shared_output_shape(handle, extents) =
    check(ccall(ENGINE[].tox_shared_output_shape, Int32, (Ptr{Cvoid}, Ptr{Int64}, Csize_t), handle, extents,
                length(extents)))
shared_describe(handle, buffer, len) =
    check(ccall(ENGINE[].tox_shared_describe, Int32, (Ptr{Cvoid}, Ptr{UInt8}, Csize_t, Ptr{Csize_t}), handle, buffer,
                length(buffer), len))
# The status is checked by the caller, who may know better what went wrong.
shared_run(handle, operands, count, conj, output, all, α, β, callback, context) =
    ccall(ENGINE[].tox_shared_run, Int32,
          (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{UInt8}, Ptr{DLTensor}, Int32, Cdouble, Cdouble, Cdouble, Cdouble,
           Ptr{Cvoid}, Ptr{Cvoid}),
          handle, operands, count, conj, output, all, real(α), imag(α), real(β), imag(β), callback, context)

communicator_sum(handle, tensor) =
    check(ccall(ENGINE[].tox_communicator_sum, Int32, (Ptr{Cvoid}, Ptr{DLTensor}), handle, tensor))
function split_create(communicator, request, axes)
    handle = Ref(C_NULL)
    check(ccall(ENGINE[].tox_split_create, Int32, (Ptr{Cvoid}, Ref{PlanRequest}, Ptr{Int32}, Ptr{Ptr{Cvoid}}),
                communicator, request, axes, handle))
    return handle[]
end
split_destroy(handle) = ccall(ENGINE[].tox_split_destroy, Cvoid, (Ptr{Cvoid},), handle)
function split_info(handle)
    info = Ref(SplitInfo())
    check(ccall(ENGINE[].tox_split_info, Int32, (Ptr{Cvoid}, Ptr{SplitInfo}), handle, info))
    return info[]
end
"Fills `extents` with the size of a part; returns the number of its axes, which may be another."
function split_shape(handle, tensor, extents)
    rank = Ref{Int64}(0)
    check(ccall(ENGINE[].tox_split_shape, Int32, (Ptr{Cvoid}, Csize_t, Ptr{Int64}, Csize_t, Ref{Int64}), handle, tensor,
                extents, length(extents), rank))
    return rank[]
end
split_run(handle, operands, count, conj, output, α, β) =
    ccall(ENGINE[].tox_split_run, Int32,
          (Ptr{Cvoid}, Ptr{DLTensor}, Csize_t, Ptr{UInt8}, Ptr{DLTensor}, Cdouble, Cdouble, Cdouble, Cdouble),
          handle, operands, count, conj, output, real(α), imag(α), real(β), imag(β))

# Of a matrix that is singular or not definite, `index` tells where that showed, counted from 0.
@inline function check(status::Int32, index::Ref{Int64})
    status == 7 && throw(LinearAlgebra.SingularException(index[] + 1))
    status == 12 && throw(LinearAlgebra.PosDefException(index[] + 1))
    return check(status)
end

@inline check(status::Int32) = status == 0 ? nothing : throw_status(status)

last_error() = unsafe_string(ccall(ENGINE[].tox_last_error, Cstring, ()))

# A `LAPACKException` holds a number and no text. Its cause, which Julia shows below it, has the text.
function throw_no_convergence(text)
    try
        throw(ErrorException(text))
    catch
        throw(LinearAlgebra.LAPACKException(1))
    end
end

@noinline function throw_status(status::Int32)
    text = last_error()
    status in (1, 3, 4, 5, 9, 13) && throw(ArgumentError(text))
    status == 2 && throw(DimensionMismatch(text))
    status == 6 && throw_no_convergence(text)
    status == 7 && throw(LinearAlgebra.SingularException(1))
    status == 8 && throw(OutOfMemoryError())
    status == 10 && throw(OverflowError(text))
    status == 14 && throw(Base.IOError(text, Base.UV_EIO))
    status == 15 && error(text)
    status == 15 && throw(ErrorException(text))
    throw(ErrorException("the tensor engine failed (status $status), which is a bug of the engine: $text"))
end
