// TensorOxide: the C ABI of the engine. Generated from the crate rust/capi; a test holds the two together.

#ifndef TENSOROXIDE_H
#define TENSOROXIDE_H

#include <stddef.h>
#include <stdint.h>

// DLPack's own structs (dlpack.h, version 1), for those who do not include that header.
#ifndef DLPACK_DLPACK_H_
typedef struct {
  int32_t device_type;
  int32_t device_id;
} DLDevice;

typedef struct {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} DLDataType;

typedef struct {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;
#endif

// Version of the binary interface; raised whenever a caller built against an older header would misbehave.
#define TOX_ABI_VERSION 5

// What was lent computes where it can; the engine itself does the rest.
#define TOX_PROVIDER_LENT 0

// The engine computes everything itself.
#define TOX_PROVIDER_OWN 1

// Whoever is expected to be faster: the engine itself for products of tensors, where it has kernels for the processor's
// registers; what was lent for the rest.
#define TOX_PROVIDER_AUTO 2

// Extreme eigenvalues of a Hermitian map: restarted Lanczos.
#define TOX_EIGSOLVE 0

// exp(t·A)·x for a Hermitian map: Lanczos in time steps.
#define TOX_EXPONENTIATE 1

// (a0 + a1·A)·x = b: restarted GMRES.
#define TOX_LINSOLVE 2

// The same where a0 + a1·A is Hermitian and positive definite: conjugate gradients.
#define TOX_LINSOLVE_POSITIVE 3

// Extreme eigenvalues of any map, complex ones: restarted Arnoldi.
#define TOX_EIGSOLVE_GENERAL 4

// The eigenvalues with the smallest real part, ascending.
#define TOX_SMALLEST_REAL 0

// Those with the largest real part, descending.
#define TOX_LARGEST_REAL 1

// The eigenvalues of largest magnitude, descending; of two with the same magnitude that with the smaller real part
// first.
#define TOX_LARGEST_MAGNITUDE 2

// Those with the smallest imaginary part, ascending: for `TOX_EIGSOLVE_GENERAL` over complex vectors.
#define TOX_SMALLEST_IMAGINARY 3

// Those with the largest imaginary part, descending: likewise.
#define TOX_LARGEST_IMAGINARY 4

// The whole decomposition is computed.
#define TOX_METHOD_FULL 0

// A randomised block Krylov method is tried; the whole decomposition is computed if its certificate does not suffice.
#define TOX_METHOD_RANDOMIZED 1

// The randomised method is tried where it is likely to pay.
#define TOX_METHOD_AUTO 2

// The exponential.
#define TOX_FUNCTION_EXP 0

// The natural logarithm.
#define TOX_FUNCTION_LOG 1

// The square root; 0 of an eigenvalue that is negative by no more than rounding.
#define TOX_FUNCTION_SQRT 2

// 1/x.
#define TOX_FUNCTION_INV 3

// 1/√x.
#define TOX_FUNCTION_INV_SQRT 4

// The root of the sum of the squared magnitudes.
#define TOX_NORM_FROBENIUS 0

// The largest singular value.
#define TOX_NORM_SPECTRAL 1

// The sum of the singular values.
#define TOX_NORM_NUCLEAR 2

// The largest sum of magnitudes of a column.
#define TOX_NORM_ONE 3

// The largest sum of magnitudes of a row.
#define TOX_NORM_INFINITY 4

// Least estimated time: multiplications, elements moved, and a fixed time for each step.
#define TOX_MINIMIZE_TIME 0

// Fewest multiplications.
#define TOX_MINIMIZE_FLOPS 1

// Least size of the largest tensor that a step makes.
#define TOX_MINIMIZE_SIZE 2

// A path in opt_einsum's form: steps as positions in the list of the tensors that are left, from 0, for instance
// `[[1,2],[0,1]]`. The result of a step goes to the end of the list.
#define TOX_PATH_OPT_EINSUM 0

// A path in which every tensor has a number, the operands from 0 on and then each result: `[[1,2],[0,3]]`.
#define TOX_PATH_SSA 1

// A path as a tree, nested lists of operands from 1 on: `[1,[2,3]]`.
#define TOX_PATH_TREE 2

// A path as `writejson` of OMEinsumContractionOrders.jl writes it.
#define TOX_PATH_OMEINSUM 3

// A path with the expression and the shapes that it is for, to be kept.
#define TOX_PATH_STORED 4

// A; U, S, Vᴴ.
#define TOX_RULE_SVD_COMPACT 0

// A; U, S, Vᴴ.
#define TOX_RULE_SVD_FULL 1

// A; S.
#define TOX_RULE_SVD_VALS 2

// A; U, S, Vᴴ as far as they were kept, and the norm ϵ of what was cut off.
#define TOX_RULE_SVD_TRUNC 3

// A; Q, R.
#define TOX_RULE_QR_COMPACT 4

// A; Q, R.
#define TOX_RULE_QR_FULL 5

// A; N.
#define TOX_RULE_QR_NULL 6

// A; Q, R, p (64-bit integers, counted from 0).
#define TOX_RULE_QR_PIVOTED 7

// A; L, Q.
#define TOX_RULE_LQ_COMPACT 8

// A; L, Q.
#define TOX_RULE_LQ_FULL 9

// A; N.
#define TOX_RULE_LQ_NULL 10

// A; W, P.
#define TOX_RULE_LEFT_POLAR 11

// A; P, Wᴴ.
#define TOX_RULE_RIGHT_POLAR 12

// A; L, U, p (64-bit integers, counted from 0).
#define TOX_RULE_LU 13

// A; L, U, p, q (64-bit integers, counted from 0).
#define TOX_RULE_LU_COMPLETE 14

// A; L.
#define TOX_RULE_CHOLESKY 15

// A; w, V.
#define TOX_RULE_EIGH_FULL 16

// A; w.
#define TOX_RULE_EIGH_VALS 17

// A; w, V as far as they were kept, and the norm ϵ of what was cut off. Also of `tox_eigh_range`.
#define TOX_RULE_EIGH_TRUNC 18

// A; w, V, both complex.
#define TOX_RULE_EIG_FULL 19

// A; w, complex.
#define TOX_RULE_EIG_VALS 20

// A; T, Z, and w, complex.
#define TOX_RULE_SCHUR_FULL 21

// A; w, complex.
#define TOX_RULE_SCHUR_VALS 22

// A, B; X.
#define TOX_RULE_SOLVE 23

// A, B; X. The variant is 1 for an upper triangle, plus 2 for a diagonal of ones.
#define TOX_RULE_SOLVE_TRIANGULAR 24

// A, B; X.
#define TOX_RULE_LSTSQ 25

// A; X.
#define TOX_RULE_INV 26

// A; X.
#define TOX_RULE_PINV 27

// A; the determinant.
#define TOX_RULE_DET 28

// A; the logarithm of the determinant's modulus, and its phase.
#define TOX_RULE_LOGABSDET 29

// A; X.
#define TOX_RULE_EXPM 30

// A; X. The variant is one of `TOX_FUNCTION_…`.
#define TOX_RULE_HERMITIAN_FUNCTION 31

// A; the norm. The variant is one of `TOX_NORM_…`.
#define TOX_RULE_NORM 32

// + and times of real or complex numbers: no semiring is chosen.
#define TOX_NUMBERS 0

// Maximum and +, of Float32 or Float64; zero is -Inf, one is 0. NaN counts as the zero.
#define TOX_MAX_PLUS 1

// Minimum and +, of Float32 or Float64; zero is Inf, one is 0. NaN counts as the zero.
#define TOX_MIN_PLUS 2

// Maximum and times, of Float32 or Float64 that are not negative; zero is 0, one is 1. NaN counts as the zero.
#define TOX_MAX_TIMES 3

// Or, and, of booleans (DLPack code 6: bytes that are 0 or 1).
#define TOX_AND_OR 4

// Plus and times of Int64, modulo 2^64.
#define TOX_WRAPPING 5

// To be read.
#define TOX_FILE_READ 0

// To be written anew, in the place of what there may be.
#define TOX_FILE_CREATE 1

// To be changed: a copy of it is, which takes its place.
#define TOX_FILE_UPDATE 2

// Nothing has the name.
#define TOX_ITEM_NONE 0

// A group: names, as a folder has them.
#define TOX_ITEM_GROUP 1

// A tensor; a number is one without extents.
#define TOX_ITEM_TENSOR 2

// A text.
#define TOX_ITEM_TEXT 3

// Something that is not read here.
#define TOX_ITEM_OTHER 4

// The complex conjugate.
#define TOX_MAP_CONJ 0

// The real part.
#define TOX_MAP_REAL 1

// The exponential.
#define TOX_MAP_EXP 2

// The natural logarithm.
#define TOX_MAP_LOG 3

// The square root.
#define TOX_MAP_SQRT 4

// 1/x.
#define TOX_MAP_INVERSE 5

// x to the power of an integer.
#define TOX_MAP_POWER 6

// The sine.
#define TOX_MAP_SIN 7

// The cosine.
#define TOX_MAP_COS 8

// The hyperbolic tangent.
#define TOX_MAP_TANH 9

// A duplicate of an MPI communicator, for the engine's own messages. Its ranks make calls together: each makes the
// same calls in the same order, one at a time, from a thread that may call MPI.
//
// A call ends on all ranks, within the timeout and what the slices take that are being computed: after an error on one
// of them, when one is silent for longer than the timeout, when they ask for different things. After a failure
// (`TOX_RANK_FAILURE`, `TOX_OUT_OF_MEMORY` and other errors that are not told before the work begins) all further
// calls fail.
typedef struct tox_communicator tox_communicator;

// An open file: made by `tox_file_open`, destroyed by `tox_file_destroy`.
typedef struct tox_file tox_file;

// The derivatives of a planned Einstein summation, with the memory to compute them. Any number of threads may use one
// at once.
typedef struct tox_gradient tox_gradient;

// The memory of Krylov methods over vectors of one element type, and the problem that is being solved in it.
// Problems of no larger size take no further memory. For one thread at a time.
typedef struct tox_krylov tox_krylov;

// A plan with the memory to run it. Any number of threads may run it at once.
typedef struct tox_plan tox_plan;

// What a run has left behind for the cotangents of its operands. For one thread at a time.
typedef struct tox_record tox_record;

// A contraction whose slices are shared out among the ranks of a communicator.
typedef struct tox_shared tox_shared;

// A contraction of tensors each of which is split along an index: every rank has the values of one range, rank r of p
// those from n·r/p on (n being the extent, the quotient rounded down), or is whole on all ranks.
typedef struct tox_split tox_split;

// Steps that were computed, with all values that derivatives need. For one thread at a time.
typedef struct tox_tape tox_tape;

// Memory that decompositions work in, kept from call to call. Any number of threads may use one at once.
typedef struct tox_workspace tox_workspace;

// How a call went: `TOX_OK`, or what kind of failure it was.
typedef int32_t tox_status;

// An MPI library that the host has loaded and initialised, and a communicator of it. Handles are given as numbers.
typedef struct {
  // Bytes of a handle: 4 where it is an `int` (MPICH), 8 where it is an address (Open MPI) or as large as one (the
  // standard ABI).
  size_t handle_size;
  // The communicator.
  uint64_t communicator;
  // `MPI_BYTE`.
  uint64_t byte;
  // `MPI_ERRORS_RETURN`.
  uint64_t errors_return;
  // The value of `MPI_ANY_SOURCE`.
  int32_t any_source;
  // The value of `MPI_THREAD_SERIALIZED`.
  int32_t thread_serialized;
  // The address of `MPI_Initialized`; those of other functions follow. They are never unloaded.
  const void *initialized;
  // `MPI_Finalized`.
  const void *finalized;
  // `MPI_Query_thread`.
  const void *query_thread;
  // `MPI_Is_thread_main`.
  const void *is_thread_main;
  // `MPI_Comm_rank`.
  const void *comm_rank;
  // `MPI_Comm_size`.
  const void *comm_size;
  // `MPI_Comm_idup`.
  const void *comm_idup;
  // `MPI_Comm_free`.
  const void *comm_free;
  // `MPI_Comm_set_errhandler`.
  const void *comm_set_errhandler;
  // `MPI_Isend`.
  const void *isend;
  // `MPI_Irecv`.
  const void *irecv;
  // `MPI_Test`.
  const void *test;
  // `MPI_Cancel`.
  const void *cancel;
  // `MPI_Error_string`.
  const void *error_string;
} tox_mpi;

// What to plan.
typedef struct {
  // The Einstein summation, for instance `"ij,jk->ik"`: UTF-8, NUL-terminated.
  const char *expression;
  // Number of operands.
  size_t operands;
  // The number of axes of each operand.
  const int32_t *ranks;
  // The extents of all operands, one operand after another.
  const int64_t *extents;
  // 1 for each operand that is to be conjugated, else 0; NULL for none. Without meaning over a semiring.
  const uint8_t *conj;
  // What to compute with: one of `TOX_NUMBERS`, `TOX_MAX_PLUS`, ….
  int32_t semiring;
  // Element type of the operands and the output, one that the semiring has.
  DLDataType dtype;
  // Most bytes of workspace for dense column-major operands; 0 for no limit.
  uint64_t memory_limit;
  // The path to take, as JSON in the form that `path_form` says: NUL-terminated; NULL to search one.
  const char *path;
  // One of the forms `TOX_PATH_*`; without meaning if `path` is NULL.
  int32_t path_form;
  // What a searched path is to have least of: one of `TOX_MINIMIZE_*`.
  int32_t minimize;
  // Where the random numbers of the search start: the same request with the same seed has the same path.
  uint64_t seed;
  // Nominal seconds to search for, counted in work done and not by a clock; negative for a part of what the contraction is
  // estimated to take, at most about one second.
  double search_time;
} tox_plan_request;

// What a plan comes to.
typedef struct {
  // Number of operands.
  uint64_t operands;
  // Number of axes of the output.
  uint64_t output_rank;
  // Number of steps.
  uint64_t steps;
  // How often the steps run.
  uint64_t slices;
  // Bytes of workspace.
  uint64_t peak_bytes;
  // Floating-point operations: 2 for each product with its sum, whatever the algebra.
  double flops;
  // Element type.
  DLDataType dtype;
  // Logarithm to base 10 of `flops`.
  double log10_flops;
  // Logarithm to base 2 of the number of elements of the largest tensor that a step makes, the output included.
  double log2_size;
} tox_plan_info_t;

// What a shared contraction comes to.
typedef struct {
  // Of the slices; `peak_bytes` is what a rank takes, sums of slices included.
  tox_plan_info_t plan;
  // In how many pieces the work can be dealt out.
  uint64_t leaves;
  // Threads that compute, on each rank.
  uint64_t threads;
  // How many times the arithmetic of the same path without slices.
  double slicing_overhead;
} tox_shared_info_t;

// Is told on rank 0, on the thread that makes the call, how many slices are done, how many there are, and the seconds
// since the beginning. Another answer than 0 stops the run on all ranks.
typedef int32_t (*tox_progress)(void *context, uint64_t done, uint64_t slices, double seconds);

// A problem. What a method does not know is not read.
typedef struct {
  // `TOX_EIGSOLVE`, `TOX_EIGSOLVE_GENERAL`, `TOX_EXPONENTIATE`, `TOX_LINSOLVE` or `TOX_LINSOLVE_POSITIVE`.
  int32_t method;
  // Eigenvalues: which ones, `TOX_SMALLEST_REAL` and so on.
  int32_t which;
  // Eigenvalues: how many.
  size_t howmany;
  // The most vectors of a Krylov space; for eigenvalues more than `howmany`, for
  // `TOX_EIGSOLVE_GENERAL` over real vectors by two or more, unless that is the whole space.
  size_t krylovdim;
  // The most Krylov spaces, or time steps; krylovdim·maxiter iterations of conjugate gradients.
  size_t maxiter;
  // Eigenvalues: the residual that counts as converged. Exponentials: the error for each unit of time. Systems: the
  // residual.
  double tol;
  // Systems: the residual as a part of ‖b‖; the larger one of the two decides.
  double rtol;
  // Not 0: look at the residual or error after every application, and not only when the Krylov space is full.
  int32_t eager;
  // Exponentials: t.
  double t_re;
  // Its imaginary part, 0 for real vectors; so for those below.
  double t_im;
  // Systems: a0.
  double a0_re;
  // Its imaginary part.
  double a0_im;
  // Systems: a1.
  double a1_re;
  // Its imaginary part.
  double a1_im;
} tox_krylov_problem;

// How it went.
typedef struct {
  // Eigenvalues that have reached the tolerance, from the first on without a gap. Else 1 if the result has, or 0.
  uint64_t converged;
  // Krylov spaces that were built; time steps; iterations of conjugate gradients.
  uint64_t numiter;
  // Applications of the map.
  uint64_t numops;
  // Results: eigenvectors, else 1; 0 before the end.
  uint64_t results;
} tox_krylov_info_t;

// How a decomposition runs.
typedef struct {
  // Its memory; NULL for memory that is shared by all calls of the process that name none.
  const tox_workspace *workspace;
  // `TOX_PROVIDER_AUTO`, `TOX_PROVIDER_LENT` or `TOX_PROVIDER_OWN`; negative for what `tox_set_provider` says.
  int32_t provider;
} tox_run;

// Which singular values are cut off: the strictest limit decides, and `minrank` has the last word.
typedef struct {
  // At most this many stay; negative for no limit.
  int64_t maxrank;
  // At least this many stay.
  int64_t minrank;
  // Values below this are cut off.
  double atol;
  // Values below this times the 2-norm of all are cut off.
  double rtol;
  // The squares of what is cut off sum up to at most this part of the sum of all squares.
  double discarded_weight;
  // Not 0: never cut inside of a group of equal values.
  int32_t keep_multiplets;
  // `TOX_METHOD_FULL`, `TOX_METHOD_RANDOMIZED` or `TOX_METHOD_AUTO`: how the values that stay are found.
  int32_t method;
  // Of the random numbers of the randomised method.
  uint64_t seed;
  // The largest residual that the randomised method may leave, in the Frobenius norm relative to that of the matrix;
  // negative for eps^(3/4).
  double tol;
} tox_truncation;

// Which operation is differentiated, and what is done where its result is one of many.
typedef struct {
  // One of `TOX_RULE_…`.
  int32_t operation;
  // As the operation's comment says; else ignored.
  int32_t variant;
  // Not 0: a cotangent that depends on the gauge of vectors with equal values is no failure; what of it depends is left out,
  // and its size is reported.
  int32_t report_gauge;
  // Not 0: the phases of vectors are not differentiated, and a cotangent that depends on them depends on the gauge.
  int32_t free_phases;
  // The most of a cotangent that counts as rounding when it depends on the gauge, relative to the whole; negative for √eps.
  double gauge_tolerance;
  // The most by which equal values differ, relative to the largest; negative for what rounding makes of them.
  double degeneracy;
} tox_rule;

typedef const DLTensor *const *List;

// What a contraction of split tensors comes to, on this rank.
typedef struct {
  // Most bytes that are taken at once beside the parts of the operands and the output.
  uint64_t peak_bytes;
  // Bytes that are sent in a run.
  uint64_t sent_bytes;
  // Multiplications in a run.
  double multiplications;
} tox_split_info_t;

// How a tensor is kept in a file.
typedef struct {
  // 0 for none, or deflate from 1 (fast) to 9 (small).
  int32_t compress;
  // 1 to reorder bytes before they are compressed, which most numbers gain from.
  int32_t shuffle;
  // 1 for a checksum of each chunk.
  int32_t checksum;
  // Extents of the chunks, as many as the tensor has; NULL leaves the choice open.
  const int64_t *chunk;
} tox_storage_options;

// What something in a file is.
typedef struct {
  // `TOX_ITEM_*`.
  int32_t kind;
  // Element type of a tensor. Booleans have code 6 and 8 bits; integers of 16 bits count as ones of 32.
  DLDataType dtype;
  // Number of extents of a tensor.
  size_t rank;
  // 1 if the tensor is kept in chunks, 0 otherwise.
  int32_t chunked;
} tox_item;

// A tensor on a tape: a number that means nothing outside of it.
typedef uint64_t tox_value;

// Done.
#define TOX_OK 0

// An argument that can never be right: bad notation, a wrong number of operands, mixed element types, a negative
// extent, a limit that cannot be kept.
#define TOX_INVALID_ARGUMENT 1

// Extents or ranks that do not fit together.
#define TOX_DIMENSION_MISMATCH 2

// An element type that the engine does not compute with.
#define TOX_UNSUPPORTED_DTYPE 3

// An output that overlaps itself, another output or an input.
#define TOX_ALIASING 4

// NaN or infinity in the input of a decomposition.
#define TOX_NOT_FINITE 5

// No driver's iteration converged; the text names those that were tried, in this order.
#define TOX_NO_CONVERGENCE 6

// A singular matrix where a regular one is needed.
#define TOX_SINGULAR 7

// Memory could not be had.
#define TOX_OUT_OF_MEMORY 8

// A NULL pointer where an address is needed.
#define TOX_NULL_POINTER 9

// A size that does not fit the address space.
#define TOX_OVERFLOW 10

// A bug of the engine: a panic, caught at the boundary.
#define TOX_PANIC 11

// A matrix that is not positive definite where one is needed.
#define TOX_NOT_POSITIVE_DEFINITE 12

// No derivative: it is not defined there, or the cotangent depends on a gauge.
#define TOX_NO_DERIVATIVE 13

// A file that cannot be read or written: the system, the disk, or what the file holds.
#define TOX_IO 14

// A library that the host should lend, or the system have: it is not there, or does not fit.
#define TOX_NO_LIBRARY 15

// Nothing in a file has this name.
#define TOX_MISSING 16

// A call over several ranks failed: another rank failed, died, is silent, or asks for something else; or the host
// stopped the run.
#define TOX_RANK_FAILURE 15

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The `TOX_ABI_VERSION` that the loaded library was built with: to be compared before any other call.
uint32_t tox_abi_version(void);

// The engine's version, for instance `"0.1.0"`; never freed.
const char *tox_version(void);

// C = alpha * (A·B, summed over the labels that C has not) + beta * C. `beta == 0` never reads C.
//
// `tensors` are A, B, C. `labels` has a label for each axis of A, then of B, then of C, and `conj` is NULL, or has for A
// and for B 1 if it is to be conjugated, else 0. Each label of A or B is in two of the three at least, or has extent 1;
// none is in C twice. What `tox_plan_run` computes for the same labels, slower by what it takes to look at the layouts, and
// without a plan to make first.
//
// Fails with `TOX_DIMENSION_MISMATCH` (extents of one label), `TOX_INVALID_ARGUMENT` (labels, mixed element types),
// `TOX_UNSUPPORTED_DTYPE`, `TOX_ALIASING`, `TOX_OUT_OF_MEMORY`; nothing was then written.
//
// # Safety
// The pointers lead to what they are described as, and nothing writes to A or B, or reads or writes C, during the call.
tox_status tox_contract(const DLTensor *tensors,
                        const int32_t *labels,
                        const uint8_t *conj,
                        double alpha_re,
                        double alpha_im,
                        double beta_re,
                        double beta_im);

// Duplicates a communicator, which all of its ranks do together, and writes it to `*communicator`. A rank that is not
// heard of for `timeout` seconds is taken for dead.
//
// Fails with `TOX_INVALID_ARGUMENT` (MPI is not initialised, or is finalised, or this thread may not call it; the size
// of handles; the timeout), `TOX_NULL_POINTER`, `TOX_RANK_FAILURE`.
//
// # Safety
// What `mpi` says is true. `communicator` can be written.
tox_status tox_communicator_create(const tox_mpi *mpi, double timeout, tox_communicator **communicator);

// Writes which rank this is, from 0, and how many there are.
//
// # Safety
// `communicator` came from `tox_communicator_create`; the other two can be written.
tox_status tox_communicator_rank(const tox_communicator *communicator, int64_t *rank, int64_t *size);

// Gives the duplicate back to MPI: all ranks do, before MPI is finalised. Plans over it cannot be run any more.
//
// # Safety
// `communicator` came from `tox_communicator_create`.
tox_status tox_communicator_free(const tox_communicator *communicator);

// Releases the memory of this handle, at any time and without the other ranks. NULL is allowed. Plans over it keep
// what they need.
//
// # Safety
// `communicator` came from `tox_communicator_create`, is not in use, and is not used again.
void tox_communicator_destroy(tox_communicator *communicator);

// Plans an Einstein summation to be shared out, and writes it to `*shared`. All ranks do so together and ask for the
// same; rank 0 searches the path. `memory_limit` is for each rank. There are at least `slices` slices, or for 0 four
// for each thread of all ranks; the result has the same bits for any number of ranks that has the same slices.
//
// Fails as `tox_plan_create`, and with `TOX_RANK_FAILURE` for what other ranks fail with.
//
// # Safety
// As `tox_plan_create`; `communicator` came from `tox_communicator_create`.
tox_status tox_shared_create(const tox_communicator *communicator,
                             const tox_plan_request *request,
                             size_t slices,
                             tox_shared **shared);

// Releases a shared contraction, at any time and without the other ranks. NULL is allowed.
//
// # Safety
// `shared` came from `tox_shared_create`, is not in use, and is not used again.
void tox_shared_destroy(tox_shared *shared);

// Writes what a shared contraction comes to.
//
// # Safety
// `shared` came from `tox_shared_create`; `info` can be written.
tox_status tox_shared_info(const tox_shared *shared, tox_shared_info_t *info);

// Writes the extents of the output, at most `capacity` of them.
//
// # Safety
// `shared` came from `tox_shared_create`; `extents` leads to room for `capacity` numbers.
tox_status tox_shared_output_shape(const tox_shared *shared, int64_t *extents, size_t capacity);

// Describes the plan of the slices in words, as `tox_plan_describe` does.
//
// # Safety
// `shared` came from `tox_shared_create`; `buffer` leads to room for `capacity` bytes.
tox_status tox_shared_describe(const tox_shared *shared, char *buffer, size_t capacity, size_t *length);

// output = alpha * (Einstein sum of the operands) + beta * output, on rank 0, or on all ranks if `all` is not 0. All
// ranks make this call, with the same operands and factors. `output` is NULL where the result does not go. `progress`
// may be NULL; it is told about every second, and at the end.
//
// Fails on all ranks, with the status of its own failure on the one that failed, and `TOX_RANK_FAILURE` on the others.
// After a failure the output may be partly written.
//
// # Safety
// As `tox_plan_run`; `progress` may be called with `context` until this returns.
tox_status tox_shared_run(const tox_shared *shared,
                          const DLTensor *operands,
                          size_t count,
                          const uint8_t *conj,
                          const DLTensor *output,
                          int32_t all,
                          double alpha_re,
                          double alpha_im,
                          double beta_re,
                          double beta_im,
                          tox_progress progress,
                          void *context);

// Makes the derivatives of a plan and writes them to `*gradient`, to be released with `tox_gradient_destroy`. The plan
// is not needed any longer. Its memory limit holds, without slices: a run that needs more is refused.
//
// `conj` is NULL, or has for each of the plan's operands 1 if it is to be conjugated (once more than the plan's
// request says) and 0 if not. For a real loss L, the cotangent x̄ of x has δL = Re⟨x̄, δx⟩, ⟨·,·⟩ conjugating its
// first argument; x is an operand as it lies in memory, before it is conjugated.
//
// Fails with `TOX_INVALID_ARGUMENT` for a plan over a semiring; `TOX_OVERFLOW`.
//
// # Safety
// `plan` came from `tox_plan_create`; the pointers lead to what they are described as, and `gradient` can be written.
tox_status tox_gradient_create(const tox_plan *plan,
                               const uint8_t *conj,
                               tox_gradient **gradient);

// Releases derivatives and their memory. NULL is allowed. Records that were made of them may live on.
//
// # Safety
// `gradient` came from `tox_gradient_create`, is not in use, and is not used again.
void tox_gradient_destroy(tox_gradient *gradient);

// output = alpha * (Einstein sum of the operands) + beta * output, as `tox_plan_run`; and the cotangents of the
// operands, by that of the output: `cotangents` is an array of `count` pointers, NULL for each one that is not wanted.
// `output` may be NULL, too. What both have in common is computed once.
//
// A run whose tensors are laid out as in the run before allocates nothing, if there are at most 16 operands.
//
// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT` (number of operands, mixed element types, memory limit),
// `TOX_ALIASING`, `TOX_OUT_OF_MEMORY`.
//
// # Safety
// The pointers lead to what they are described as, and nothing writes to what is read, or reads or writes what is
// written, during the call.
tox_status tox_gradient_run(const tox_gradient *gradient,
                            const DLTensor *operands,
                            size_t count,
                            const DLTensor *output,
                            double alpha_re,
                            double alpha_im,
                            double beta_re,
                            double beta_im,
                            const DLTensor *cotangent,
                            const DLTensor *const *cotangents);

// The first half of `tox_gradient_run`: computes the output, which may be NULL, and writes to `*record` what is needed
// for the cotangents later, to be released with `tox_record_destroy`.
//
// Fails as `tox_gradient_run`.
//
// # Safety
// As `tox_gradient_run`; `record` can be written.
tox_status tox_gradient_forward(const tox_gradient *gradient,
                                const DLTensor *operands,
                                size_t count,
                                const DLTensor *output,
                                double alpha_re,
                                double alpha_im,
                                double beta_re,
                                double beta_im,
                                tox_record **record);

// The second half of `tox_gradient_run`: the cotangents of the operands, by that of the output; as often as one likes,
// with the operands as they were in `tox_gradient_forward`.
//
// Fails as `tox_gradient_run`.
//
// # Safety
// As `tox_gradient_run`; `record` came from `tox_gradient_forward`, and no other thread uses it.
tox_status tox_record_pullback(tox_record *record,
                               const DLTensor *operands,
                               size_t count,
                               const DLTensor *cotangent,
                               const DLTensor *const *cotangents);

// Writes to `*bytes` the bytes that a record keeps, the same for all of one `tox_gradient`.
//
// # Safety
// `record` came from `tox_gradient_forward`; `bytes` can be written.
tox_status tox_record_bytes(const tox_record *record, uint64_t *bytes);

// Releases a record; its memory serves the next run of the `tox_gradient` that it came from. NULL is allowed.
//
// # Safety
// `record` came from `tox_gradient_forward`, is not in use, and is not used again.
void tox_record_destroy(tox_record *record);

// The derivative along a direction: tangent = alpha * (change of the Einstein sum) + beta * tangent, where operands
// change by `tangents`, an array of `count` pointers, NULL for those that are constant. `output` is computed beside,
// as by `tox_plan_run`; it and `tangent` may be NULL.
//
// Fails as `tox_gradient_run`.
//
// # Safety
// As `tox_gradient_run`.
tox_status tox_gradient_jvp(const tox_gradient *gradient,
                            const DLTensor *operands,
                            size_t count,
                            const DLTensor *const *tangents,
                            const DLTensor *output,
                            const DLTensor *tangent,
                            double alpha_re,
                            double alpha_im,
                            double beta_re,
                            double beta_im);

// The second order: the cotangents of the operands, and what they change by, `cotangent_tangents`, when the operands
// change by `tangents` and the output's cotangent by `cotangent_tangent`. All of these are arrays of `count` pointers,
// or the one tensor of the output; each may be NULL but for `cotangent`.
//
// Fails as `tox_gradient_run`.
//
// # Safety
// As `tox_gradient_run`.
tox_status tox_gradient_pullback_jvp(const tox_gradient *gradient,
                                     const DLTensor *operands,
                                     size_t count,
                                     const DLTensor *const *tangents,
                                     double alpha_re,
                                     double alpha_im,
                                     const DLTensor *cotangent,
                                     const DLTensor *cotangent_tangent,
                                     const DLTensor *const *cotangents,
                                     const DLTensor *const *cotangent_tangents);

// Sets how many threads the engine's own kernels may use, from 1 to 256; 1 at first. Lent libraries have their own number.
tox_status tox_set_num_threads(size_t threads);

// How many threads the engine's own kernels may use.
size_t tox_num_threads(void);

// Lends a BLAS routine, one of `sgemm`, `dgemm`, `cgemm`, `zgemm`: the Fortran function with 64-bit integers. It serves for
// the rest of the process; lending a routine again changes nothing.
//
// # Safety
// `routine` is a NUL-terminated string. `function` is NULL, which is an error, or the address of that routine, which is never unloaded.
tox_status tox_lend_blas(const char *routine,
                         const void *function);

// Lends a LAPACK routine, for instance `dgesdd`: the Fortran function with 64-bit integers. It serves for the rest
// of the process; lending a routine again changes nothing.
//
// # Safety
// As `tox_lend_blas`.
tox_status tox_lend_lapack(const char *routine, const void *function);

// 1 if the routine was lent, 0 otherwise.
//
// # Safety
// `routine` is NULL or a NUL-terminated string.
int32_t tox_is_lent(const char *routine);

// Chooses who computes: `TOX_PROVIDER_AUTO` (at first), `TOX_PROVIDER_LENT` or `TOX_PROVIDER_OWN`. Plans keep the choice that
// was theirs when they were made.
tox_status tox_set_provider(int32_t provider);

// Who computes.
int32_t tox_provider(void);

// Makes memory for Krylov methods over vectors of an element type; none is taken before a problem is started.
//
// # Safety
// `krylov` can be written.
tox_status tox_krylov_create(DLDataType dtype, tox_krylov **krylov);

// Frees what `tox_krylov_create` made; NULL is ignored.
//
// # Safety
// `krylov` came from `tox_krylov_create`, was not destroyed before, and nobody uses it.
void tox_krylov_destroy(tox_krylov *krylov);

// Starts a problem from the vector `x`, a tensor of any shape whose elements are those of the vector, column-major.
// `b` is the right-hand side of a system, of the same shape; NULL for other methods. Both are copied.
//
// Fails with `TOX_INVALID_ARGUMENT` for numbers that no problem can have and for mixed element types, with
// `TOX_DIMENSION_MISMATCH`, `TOX_OUT_OF_MEMORY`.
//
// # Safety
// `krylov` came from `tox_krylov_create`, and no other thread uses it; the pointers lead to what they are described
// as.
tox_status tox_krylov_start(tox_krylov *krylov,
                            const tox_krylov_problem *problem,
                            const DLTensor *x,
                            const DLTensor *b);

// Goes on with a problem: takes in what the host has written to `*y`, and asks for the next application of the map.
// The host then reads the vector `*x`, writes what the map makes of it to `*y`, and calls again; both are
// column-major without gaps, and valid until the next call. At the end both are NULL.
//
// Fails with `TOX_NOT_FINITE` (NaN or infinity in a vector); with `TOX_INVALID_ARGUMENT` for a start vector that is
// zero, and for a map that turns out not to be Hermitian or positive definite; with `TOX_NO_CONVERGENCE`. The
// problem has then ended.
//
// # Safety
// As `tox_krylov_start`; `x` and `y` can be written.
tox_status tox_krylov_next(tox_krylov *krylov, const void **x, void **y);

// Runs a started problem to its end. The map takes operand `free` of the plan, from 0, to the plan's output, which
// has to have the same shape. `operands` is an array of `count` tensors, of which that at `free` is not looked at;
// `conj` as for `tox_plan_run`.
//
// Fails as `tox_krylov_next`; with `TOX_DIMENSION_MISMATCH` and `TOX_INVALID_ARGUMENT` for what does not fit the plan.
//
// # Safety
// As `tox_krylov_start` and as `tox_plan_run`.
tox_status tox_krylov_run_plan(tox_krylov *krylov,
                               const tox_plan *plan,
                               const DLTensor *operands,
                               size_t count,
                               const uint8_t *conj,
                               size_t free);

// Writes how a problem went.
//
// # Safety
// `krylov` came from `tox_krylov_create`; `info` can be written.
tox_status tox_krylov_info(const tox_krylov *krylov, tox_krylov_info_t *info);

// Writes result `i`, from 0, of a problem that has come to its end: the eigenvalue to `*value`, the norm of its
// residual (for exponentials the estimated error) to `*normres`, the vector to `vector`, and its residual, A·v − λ·v
// or b − (a0 + a1·A)·x, to `residual`, which are tensors of as many elements as `x` had. What is NULL is not
// written; exponentials have no residual. For `TOX_EIGSOLVE_GENERAL` see `tox_krylov_complex_result`.
//
// # Safety
// As `tox_krylov_start`; nothing else uses the tensors during the call.
tox_status tox_krylov_result(const tox_krylov *krylov,
                             size_t i,
                             double *value,
                             double *normres,
                             const DLTensor *vector,
                             const DLTensor *residual);

// Writes result `i`, from 0, of a problem `TOX_EIGSOLVE_GENERAL` that has come to its end: real and imaginary part
// of the eigenvalue to `value`, the norm of its residual to `*normres`, the vector to `vector`, and A·v − λ·v to
// `residual`, which are complex tensors, also where the map is real, of as many elements as `x` had. What is NULL is
// not written.
//
// # Safety
// As `tox_krylov_start`; two numbers can be written to `value`; nothing else uses the tensors during the call.
tox_status tox_krylov_complex_result(const tox_krylov *krylov,
                                     size_t i,
                                     double *value,
                                     double *normres,
                                     const DLTensor *vector,
                                     const DLTensor *residual);

// Makes a workspace, without any memory at first.
//
// # Safety
// `workspace` can be written.
tox_status tox_workspace_create(tox_workspace **workspace);

// Frees a workspace and its memory; NULL is ignored.
//
// # Safety
// `workspace` came from `tox_workspace_create`, was not destroyed before, and nobody uses it.
void tox_workspace_destroy(tox_workspace *workspace);

// A = U·Diagonal(S)·Vᴴ with k = min(m, n) values, S descending. `a` is m×n, conjugated first if `conj_a` is not 0; `u`
// m×k; `s` k, real; `vh` k×n. In each column of U the entry of largest magnitude is real and positive.
//
// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT` (mixed element types), `TOX_ALIASING`, `TOX_NOT_FINITE`,
// `TOX_NO_CONVERGENCE`, `TOX_OUT_OF_MEMORY`; the outputs are then as they were. `run` may be NULL.
//
// # Safety
// The pointers lead to tensors, and nothing else uses the outputs during the call.
tox_status tox_svd_compact(const DLTensor *a,
                           int32_t conj_a,
                           const DLTensor *u,
                           const DLTensor *s,
                           const DLTensor *vh,
                           const tox_run *run);

// As `tox_svd_compact`, truncated. `u`, `s` and `vh` have room for as many columns, values and rows as `maxrank` and
// `minrank` allow, or more; the first `*rank` are written, the rest is left as it was. `error` gets the 2-norm of the
// values that were cut off, one number for each matrix of the batch. A stack is cut to one rank, the largest that one
// of its matrices needs, and more than that may be written. `limits` may be NULL: nothing is then cut off.
//
// # Safety
// As `tox_svd_compact`; `rank` and, for as many numbers as there are matrices, `error` can be written.
tox_status tox_svd_trunc(const DLTensor *a,
                         int32_t conj_a,
                         const tox_truncation *limits,
                         const DLTensor *u,
                         const DLTensor *s,
                         const DLTensor *vh,
                         int64_t *rank,
                         double *error,
                         const tox_run *run);

// A = Q·R with k = min(m, n) columns, R's diagonal real and not negative. `a` is m×n, conjugated first if `conj_a` is
// not 0; `q` m×k; `r` k×n. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_qr_compact(const DLTensor *a, int32_t conj_a, const DLTensor *q, const DLTensor *r, const tox_run *run);

// A·V = V·Diagonal(W) for a Hermitian A, W real and ascending. `a` is n×n, of which only the lower triangle is read,
// conjugated first if `conj_a` is not 0; `w` n; `v` n×n, in each column the entry of largest magnitude real and
// positive. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_eigh_full(const DLTensor *a, int32_t conj_a, const DLTensor *w, const DLTensor *v, const tox_run *run);

// A·V = V·Diagonal(W). `a` is n×n, conjugated first if `conj_a` is not 0; `w` n, complex; `v` n×n, complex: each
// column has norm 1, and its entry of largest magnitude is real and positive. W is sorted by real part and, where
// that is equal to rounding, by imaginary part; for a real `a`, pairs are exact conjugates, values and vectors.
//
// Fails as `tox_svd_compact`; the text of `TOX_NO_CONVERGENCE` says which drivers were tried.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_eig_full(const DLTensor *a, int32_t conj_a, const DLTensor *w, const DLTensor *v, const tox_run *run);

// The eigenvalues of `tox_eig_full` alone. Fails likewise.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_eig_vals(const DLTensor *a, int32_t conj_a, const DLTensor *w, const tox_run *run);

// A = Z·T·Zᴴ with unitary Z. `a`, `t` and `z` are n×n, `a` conjugated first if `conj_a` is not 0; `w` n, complex. T
// is upper triangular; of a real `a` quasi-triangular, with blocks of 2×2 for conjugate eigenvalues. `w` are the
// eigenvalues in the order of T's diagonal, which is that of the driver. The entry of largest magnitude in each
// column of Z, but for the second column of a block of 2×2, is real and positive. Fails as `tox_eig_full`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_schur_full(const DLTensor *a,
                          int32_t conj_a,
                          const DLTensor *t,
                          const DLTensor *z,
                          const DLTensor *w,
                          const tox_run *run);

// The eigenvalues of `tox_schur_full` alone, equal to those up to rounding and order. Fails likewise.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_schur_vals(const DLTensor *a, int32_t conj_a, const DLTensor *w, const tox_run *run);

// The n eigenvalues of a Hermitian A, ascending. `a` is n×n, of which only the lower triangle is read, conjugated
// first if `conj_a` is not 0; `w` n, real. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_eigh_vals(const DLTensor *a, int32_t conj_a, const DLTensor *w, const tox_run *run);

// Neighbours of the ascending eigenvalues of a Hermitian A and their vectors, from number `first`, counted from 0, on.
// `a` as for `tox_eigh_full`; `w` as many as are asked for; `v` n×that many. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_eigh_range(const DLTensor *a,
                          int32_t conj_a,
                          int64_t first,
                          const DLTensor *w,
                          const DLTensor *v,
                          const tox_run *run);

// The eigenvalues of largest modulus of a Hermitian A, in the order of descending modulus, and their vectors: as many
// as the truncation of these moduli keeps. `a` as for `tox_eigh_full`; `w`, `v`, `limits`, `rank` and `error` as for
// `tox_svd_trunc`.
//
// # Safety
// As `tox_svd_trunc`.
tox_status tox_eigh_trunc(const DLTensor *a,
                          int32_t conj_a,
                          const tox_truncation *limits,
                          const DLTensor *w,
                          const DLTensor *v,
                          int64_t *rank,
                          double *error,
                          const tox_run *run);

// X = exp(A). `a` is n×n, conjugated first if `conj_a` is not 0; `x` n×n; of a Hermitian A, X is Hermitian to the last
// bit. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_expm(const DLTensor *a,
                    int32_t conj_a,
                    const DLTensor *x,
                    const tox_run *run);

// X = V·Diagonal(f(W))·Vᴴ for a Hermitian A = V·Diagonal(W)·Vᴴ. `a` as for `tox_eigh_full`; `function` is one of
// `TOX_FUNCTION_…`; `x` n×n. Fails with `TOX_INVALID_ARGUMENT` if f is not finite at an eigenvalue, and otherwise as
// `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_hermitian_function(const DLTensor *a,
                                  int32_t conj_a,
                                  int32_t function,
                                  const DLTensor *x,
                                  const tox_run *run);

// A norm of each matrix of the batch, 0 of an empty one. `a` is m×n; `kind` is one of `TOX_NORM_…`; `x`, real, has the
// axes of the batch: none for one matrix. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_norm(const DLTensor *a,
                    int32_t kind,
                    const DLTensor *x,
                    const tox_run *run);

// A = Q·R with a unitary Q. `a` is m×n, conjugated first if `conj_a` is not 0; `q` m×m; `r` m×n. The first k = min(m,
// n) columns of Q and rows of R are those of `tox_qr_compact`; in each further column of Q the entry of largest
// magnitude is real and positive. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_qr_full(const DLTensor *a,
                       int32_t conj_a,
                       const DLTensor *q,
                       const DLTensor *r,
                       const tox_run *run);

// The columns of Q that `tox_qr_full` has beyond the first k = min(m, n). `a` is m×n, conjugated first if `conj_a` is
// not 0; `n` m×(m − k). Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_qr_null(const DLTensor *a, int32_t conj_a, const DLTensor *n, const tox_run *run);

// A = L·Q, L's diagonal real and not negative. `a` is m×n, conjugated first if `conj_a` is not 0; `l` m×k, k = min(m,
// n); `q` k×n. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_lq_compact(const DLTensor *a,
                          int32_t conj_a,
                          const DLTensor *l,
                          const DLTensor *q,
                          const tox_run *run);

// A = L·Q with a unitary Q. `a` is m×n, conjugated first if `conj_a` is not 0; `l` m×n; `q` n×n. The first k = min(m,
// n) columns of L and rows of Q are those of `tox_lq_compact`; each further row of Q is the adjoint of a vector whose
// entry of largest magnitude is real and positive. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_lq_full(const DLTensor *a,
                       int32_t conj_a,
                       const DLTensor *l,
                       const DLTensor *q,
                       const tox_run *run);

// The rows of Q that `tox_lq_full` has beyond the first k = min(m, n). `a` is m×n, conjugated first if `conj_a` is not
// 0; `n` (n − k)×n. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_lq_null(const DLTensor *a, int32_t conj_a, const DLTensor *n, const tox_run *run);

// A = W·P with WᴴW = 1 and P Hermitian, without negative eigenvalues. `a` is m×n with m ≥ n, conjugated first if
// `conj_a` is not 0; `w` m×n; `p` n×n. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_left_polar(const DLTensor *a, int32_t conj_a, const DLTensor *w, const DLTensor *p, const tox_run *run);

// A = P·Wᴴ with WᴴW = 1 and P Hermitian, without negative eigenvalues. `a` is m×n with m ≤ n, conjugated first if
// `conj_a` is not 0; `p` m×m; `wh` m×n. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_right_polar(const DLTensor *a,
                           int32_t conj_a,
                           const DLTensor *p,
                           const DLTensor *wh,
                           const tox_run *run);

// A[:, p] = Q·R with column pivoting, R's diagonal real, not negative and not increasing. `a` is m×n, conjugated first
// if `conj_a` is not 0; `q` m×k, k = min(m, n); `r` k×n. `p` gets n numbers for each matrix of the batch, counted from
// 0; `rank`, for each, the number of diagonal elements of R above `atol` and above `rtol` times the first; `rtol` is
// max(m, n)·eps if it is negative. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`; as many numbers as said can be written to `p` and `rank`.
tox_status tox_qr_pivoted(const DLTensor *a,
                          int32_t conj_a,
                          double atol,
                          double rtol,
                          const DLTensor *q,
                          const DLTensor *r,
                          int64_t *p,
                          int64_t *rank,
                          const tox_run *run);

// A = U·Diagonal(S)·Vᴴ with unitary factors. `a` is m×n, conjugated first if `conj_a` is not 0; `u` m×m; `s` k =
// min(m, n), real; `vh` n×n. The first k columns of U and rows of Vᴴ are those of `tox_svd_compact`; the further ones
// are gauged alike. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_svd_full(const DLTensor *a,
                        int32_t conj_a,
                        const DLTensor *u,
                        const DLTensor *s,
                        const DLTensor *vh,
                        const tox_run *run);

// The k = min(m, n) singular values of A, descending. `a` is m×n, conjugated first if `conj_a` is not 0; `s` k, real.
// Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_svd_vals(const DLTensor *a, int32_t conj_a, const DLTensor *s, const tox_run *run);

// A[p, :] = L·U with k = min(m, n). `a` is m×n, conjugated first if `conj_a` is not 0; `l` m×k, zero above the
// diagonal and 1 on it; `u` k×n, zero below the diagonal; `p` m integers of 64 bits, counted from 0. The pivot of a
// column is the entry with the largest |re| + |im| that is left in it, the first of equals; it may be zero. Fails as
// `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_lu(const DLTensor *a,
                  int32_t conj_a,
                  const DLTensor *l,
                  const DLTensor *u,
                  const DLTensor *p,
                  const tox_run *run);

// A[p, q] = L·U: as `tox_lu`, with the pivot that has the largest |re| + |im| in all that is left, the first of
// equals column by column; `q` is n integers.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_lu_complete(const DLTensor *a,
                           int32_t conj_a,
                           const DLTensor *l,
                           const DLTensor *u,
                           const DLTensor *p,
                           const DLTensor *q,
                           const tox_run *run);

// A = L·Lᴴ for a positive definite Hermitian A. `a` is n×n, of which only the lower triangle is read, conjugated
// first if `conj_a` is not 0; `l` n×n, zero above its real and positive diagonal. Fails as `tox_svd_compact`, and
// with `TOX_NOT_POSITIVE_DEFINITE`: `*index`, which may be NULL, is then the last row of the smallest leading block
// that is not, counted from 0.
//
// # Safety
// As `tox_svd_compact`; `index` is NULL or can be written.
tox_status tox_cholesky(const DLTensor *a, int32_t conj_a, const DLTensor *l, int64_t *index, const tox_run *run);

// X with A·X = B. `a` is n×n, conjugated first if `conj_a` is not 0; `b` n×k, conjugated first if `conj_b` is not 0;
// `x` n×k; or `b` and `x` are vectors, with an axis less than `a`. Fails as `tox_svd_compact`, and with
// `TOX_SINGULAR` if a pivot is exactly zero: `*index`, which may be NULL, is then its place, counted from 0.
//
// # Safety
// As `tox_svd_compact`; `index` is NULL or can be written.
tox_status tox_solve(const DLTensor *a,
                     int32_t conj_a,
                     const DLTensor *b,
                     int32_t conj_b,
                     const DLTensor *x,
                     int64_t *index,
                     const tox_run *run);

// As `tox_solve`, with the triangle of `a` on and above the diagonal if `upper` is not 0, otherwise on and below it;
// with ones on the diagonal if `unit_diagonal` is not 0. Nothing else of `a` is read.
//
// # Safety
// As `tox_solve`.
tox_status tox_solve_triangular(const DLTensor *a,
                                int32_t conj_a,
                                int32_t upper,
                                int32_t unit_diagonal,
                                const DLTensor *b,
                                int32_t conj_b,
                                const DLTensor *x,
                                int64_t *index,
                                const tox_run *run);

// X = A⁻¹. `a` is n×n, conjugated first if `conj_a` is not 0; `x` n×n. Fails as `tox_solve`.
//
// # Safety
// As `tox_solve`.
tox_status tox_inv(const DLTensor *a, int32_t conj_a, const DLTensor *x, int64_t *index, const tox_run *run);

// The determinant of `a`, n×n, conjugated first if `conj_a` is not 0, or of each of its matrices: `det` has the axes
// of the batch, none for one matrix. It is 0 or infinite where it is beyond the range of the type. Fails as
// `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_det(const DLTensor *a, int32_t conj_a, const DLTensor *det, const tox_run *run);

// log|det A|, real, and det A/|det A| of `a` as in `tox_det`; −∞ and 0 if it is singular.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_logabsdet(const DLTensor *a,
                         int32_t conj_a,
                         const DLTensor *log,
                         const DLTensor *phase,
                         const tox_run *run);

// X of least norm among those for which the columns of A·X − B have the least norms. `a` is m×n, conjugated first if
// `conj_a` is not 0; `b` m×k, conjugated first if `conj_b` is not 0; `x` n×k; or `b` and `x` are vectors, with an
// axis less than `a`. `rank` is an integer of 64 bits with the axes of the batch: the number of singular values of A
// above both `atol` and `rtol` times the largest; the others count as zero. A negative `rtol` is max(m, n)·eps.
// Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_lstsq(const DLTensor *a,
                     int32_t conj_a,
                     const DLTensor *b,
                     int32_t conj_b,
                     double atol,
                     double rtol,
                     const DLTensor *x,
                     const DLTensor *rank,
                     const tox_run *run);

// The pseudo-inverse of Moore and Penrose. `a` is m×n, conjugated first if `conj_a` is not 0; `x` n×m; `atol` and
// `rtol` as in `tox_lstsq`. Fails as `tox_svd_compact`.
//
// # Safety
// As `tox_svd_compact`.
tox_status tox_pinv(const DLTensor *a, int32_t conj_a, double atol, double rtol, const DLTensor *x, const tox_run *run);

// Plans an Einstein summation and writes a new plan to `*plan`, to be released with `tox_plan_destroy`.
//
// Fails with `TOX_INVALID_ARGUMENT` (notation, number of operands, negative extents, a path that cannot be read or is one of
// another network, no plan within the limit), `TOX_DIMENSION_MISMATCH` (ranks, extents of one label), `TOX_UNSUPPORTED_DTYPE`, `TOX_OVERFLOW`.
//
// # Safety
// The pointers in the request lead to what they are described as; `plan` can be written.
tox_status tox_plan_create(const tox_plan_request *request,
                           tox_plan **plan);

// Releases a plan and its workspaces. NULL is allowed.
//
// # Safety
// `plan` came from `tox_plan_create`, is not in use, and is not used again.
void tox_plan_destroy(tox_plan *plan);

// output = alpha * (Einstein sum of the operands) + beta * output. `beta == 0` never reads the output.
//
// `operands` is an array of `count` tensors. `conj` is NULL, or has for each operand 1 if it is to be conjugated (once more
// than the plan's request says) and 0 if not. A real plan takes the real parts of alpha and beta. A run whose tensors
// are laid out as in the run before allocates nothing.
//
// Over a semiring alpha is 1, and beta is 0 or 1: output = the sum, or that and the output added by the semiring. `conj` is then
// not read, and the bytes of booleans are 0 or 1.
//
// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT` (number of operands, mixed element types), `TOX_ALIASING`, after
// which nothing was written; with `TOX_OUT_OF_MEMORY`.
//
// # Safety
// The pointers lead to what they are described as, and nothing writes to the operands, or reads or writes the output,
// during the call.
tox_status tox_plan_run(const tox_plan *plan,
                        const DLTensor *operands,
                        size_t count,
                        const uint8_t *conj,
                        const DLTensor *output,
                        double alpha_re,
                        double alpha_im,
                        double beta_re,
                        double beta_im);

// Writes what a plan comes to.
//
// # Safety
// `plan` came from `tox_plan_create`; `info` can be written.
tox_status tox_plan_info(const tox_plan *plan, tox_plan_info_t *info);

// Writes the extents of a plan's output, at most `capacity` of them.
//
// # Safety
// `plan` came from `tox_plan_create`; `extents` leads to room for `capacity` numbers.
tox_status tox_plan_output_shape(const tox_plan *plan, int64_t *extents, size_t capacity);

// Describes a plan in words: writes at most `capacity` bytes of UTF-8, the last of them NUL, and to `*length` the bytes
// that the whole text has without the NUL. `buffer` may be NULL if `capacity` is 0, and `length` may be NULL.
//
// # Safety
// `plan` came from `tox_plan_create`; `buffer` leads to room for `capacity` bytes.
tox_status tox_plan_describe(const tox_plan *plan, char *buffer, size_t capacity, size_t *length);

// Writes a plan's path in the form `form`, one of `TOX_PATH_*`, as `tox_plan_describe` writes.
//
// # Safety
// As `tox_plan_describe`.
tox_status tox_plan_path(const tox_plan *plan, int32_t form, char *buffer, size_t capacity, size_t *length);

// Tangents of an operation's outputs, those of its inputs being given.
//
// `x` and `y` are the addresses of its inputs and outputs, `dx` those of the inputs' tangents, of the same sizes, and `dy` of
// the outputs', which are written; NULL in `dx` is zero, NULL in `dy` is not asked for. `*gauge`, unless it is NULL, gets the
// largest part that depends on a gauge and was left out, or 0.
//
// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT`, `TOX_ALIASING`, `TOX_NO_DERIVATIVE`, and as the operation.
//
// # Safety
// The lists have as many entries as the operation has inputs and outputs, each NULL or leading to a tensor; nothing else
// uses the results during the call.
tox_status tox_rule_jvp(const tox_rule *rule,
                        List x,
                        List y,
                        List dx,
                        List dy,
                        double *gauge,
                        const tox_run *run);

// Cotangents of an operation's inputs, those of its outputs being given.
//
// `yb` are the addresses of the outputs' cotangents, and `xb` of the inputs', which are written; NULL in `yb` is zero, NULL in
// `xb` is not asked for. For a real function L of y, the cotangents satisfy δL = Re⟨x̄, δx⟩, where ⟨·,·⟩ conjugates its first
// argument. Otherwise as `tox_rule_jvp`.
//
// # Safety
// As `tox_rule_jvp`.
tox_status tox_rule_vjp(const tox_rule *rule,
                        List x,
                        List y,
                        List yb,
                        List xb,
                        double *gauge,
                        const tox_run *run);

// The second order: tangents of what `tox_rule_vjp` gives, along `dx` for the inputs and `dyb` for the outputs' cotangents;
// they are written to `dxb`. Otherwise as `tox_rule_vjp`.
//
// # Safety
// As `tox_rule_jvp`.
tox_status tox_rule_hvp(const tox_rule *rule,
                        List x,
                        List y,
                        List yb,
                        List dx,
                        List dyb,
                        List dxb,
                        double *gauge,
                        const tox_run *run);

// Writes the names of the labels of a configuration, each followed by a line break, as `tox_plan_describe` writes.
//
// Fails with `TOX_INVALID_ARGUMENT` for numbers, and for a semiring whose sums are none of their terms.
//
// # Safety
// `plan` came from `tox_plan_create`; `buffer` leads to room for `capacity` bytes.
tox_status tox_plan_labels(const tox_plan *plan, char *buffer, size_t capacity, size_t *length);

// output = the Einstein sum of the operands over the plan's semiring, and for each of its elements the values of all labels,
// from 0, that attain it: `configuration` is of Int64, its first axis runs over `tox_plan_labels`, the others are those of the
// output. Where there is no term, the values are -1. Of several configurations the same one is taken in every call.
//
// Fails as `tox_plan_run`; with `TOX_INVALID_ARGUMENT` for numbers, for a semiring whose sums are none of their terms, and for a
// plan with slices.
//
// # Safety
// As `tox_plan_run`; the configuration's memory is apart from that of all other tensors.
tox_status tox_plan_argmax(const tox_plan *plan,
                           const DLTensor *operands,
                           size_t count,
                           const DLTensor *output,
                           const DLTensor *configuration);

// Plans an Einstein summation of split tensors, and writes it to `*split`. All ranks do so together and ask for the
// same. The request has the shapes of the whole tensors; `axes` says for each operand, and behind them for the output,
// which axis it is split along, from 0, or is −1 for one that is whole on all ranks. `memory_limit` is for what each
// rank takes beside its parts.
//
// Fails as `tox_shared_create`; with `TOX_INVALID_ARGUMENT` also for a single operand, a label twice in one tensor, an
// extent of 1 that stands for another, and if no way is found on which no tensor is whole that is as large as the
// smallest split operand.
//
// # Safety
// As `tox_shared_create`; `axes` leads to one number more than there are operands.
tox_status tox_split_create(const tox_communicator *communicator,
                            const tox_plan_request *request,
                            const int32_t *axes,
                            tox_split **split);

// Releases a contraction of split tensors, at any time and without the other ranks. NULL is allowed.
//
// # Safety
// `split` came from `tox_split_create`, is not in use, and is not used again.
void tox_split_destroy(tox_split *split);

// Writes what a contraction of split tensors comes to.
//
// # Safety
// `split` came from `tox_split_create`; `info` can be written.
tox_status tox_split_info(const tox_split *split, tox_split_info_t *info);

// Writes the extents of this rank's part of an operand, from 0, or of the output, which comes last: at most `capacity`
// of them, and to `*rank` how many there are. `rank` may be NULL.
//
// # Safety
// `split` came from `tox_split_create`; `extents` leads to room for `capacity` numbers, and `rank` can be written.
tox_status tox_split_shape(const tox_split *split, size_t tensor, int64_t *extents, size_t capacity, int64_t *rank);

// output = alpha * (Einstein sum of the operands) + beta * output, each tensor being this rank's part. All ranks make
// this call, with the same factors. After a failure the output is as it was.
//
// Fails as `tox_shared_run`.
//
// # Safety
// As `tox_plan_run`.
tox_status tox_split_run(const tox_split *split,
                         const DLTensor *operands,
                         size_t count,
                         const uint8_t *conj,
                         const DLTensor *output,
                         double alpha_re,
                         double alpha_im,
                         double beta_re,
                         double beta_im);

// Adds up what the ranks have in a dense tensor, in the order of the ranks, and gives the sum to all: the same bits.
// All ranks make this call.
//
// Fails as `tox_shared_run`, and with `TOX_INVALID_ARGUMENT` for a tensor that is not dense.
//
// # Safety
// `communicator` came from `tox_communicator_create`; nobody else reads or writes the tensor during the call.
tox_status tox_communicator_sum(const tox_communicator *communicator, const DLTensor *tensor);

// The text of this thread's last failed call: names the operand, the label and the sizes. Valid until the next failure
// on this thread; empty before the first. UTF-8, and of several lines where a place in an expression is shown.
const char *tox_last_error(void);

// Loads HDF5, any version from 1.10 to 2.x, for the rest of the process: the library at `path`, or, with NULL, the
// one that the system has. Does nothing if that is loaded.
//
// Fails with `TOX_NO_LIBRARY`.
//
// # Safety
// `path` is NULL or a NUL-terminated string.
tox_status tox_hdf5_load(const char *path);

// Writes which HDF5 is loaded, version and path, as `tox_plan_describe` writes; nothing if none is.
//
// # Safety
// `buffer` leads to room for `capacity` bytes.
tox_status tox_hdf5_describe(char *buffer, size_t capacity, size_t *length);

// Opens a file, `TOX_FILE_READ`, `TOX_FILE_CREATE` or `TOX_FILE_UPDATE`. What is written to it is in its place only
// after `tox_file_commit`.
//
// Fails with `TOX_NO_LIBRARY` before `tox_hdf5_load`, and with `TOX_IO`.
//
// # Safety
// `path` is a NUL-terminated string; `file` leads to room for a pointer.
tox_status tox_file_open(const char *path, int32_t mode, tox_file **file);

// Closes the file and puts it in its place, all or nothing; with `sync` it is on the disk before this returns.
// Afterwards it can only be destroyed.
//
// Fails with `TOX_IO`; the old file is then as it was.
//
// # Safety
// `file` came from `tox_file_open`.
tox_status tox_file_commit(const tox_file *file, int32_t sync);

// Frees the file. What was not committed is gone, and the old file as it was.
//
// # Safety
// `file` is NULL or came from `tox_file_open`, and is not used again.
void tox_file_destroy(tox_file *file);

// Writes a tensor under a new name, with the groups above it, or as an attribute in the place of an old one;
// conjugated if `conj`. Elements: floating point, complex, Int8, Int32, Int64, UInt8, UInt32, UInt64, Bool. `options`
// may be NULL.
//
// Fails with `TOX_MISSING` (what has the attribute), `TOX_IO`, `TOX_INVALID_ARGUMENT`.
//
// # Safety
// `file` came from `tox_file_open`, names are NUL-terminated strings, the tensor is as DLPack demands; a chunk has as
// many extents as the tensor.
tox_status tox_file_write(const tox_file *file,
                          const char *name,
                          const char *attribute,
                          const DLTensor *tensor,
                          int32_t conj,
                          const tox_storage_options *options);

// Makes room for a tensor of zeros that `tox_file_write_part` fills. `options` may be NULL.
//
// Fails as `tox_file_write`.
//
// # Safety
// As `tox_file_write`; `extents` leads to `rank` integers.
tox_status tox_file_create(const tox_file *file,
                           const char *name,
                           DLDataType dtype,
                           size_t rank,
                           const int64_t *extents,
                           const tox_storage_options *options);

// Overwrites part of a tensor: along each axis the positions `first`, `first + step`, … from 0, as many as the given
// tensor has. `step` may be NULL for steps of 1.
//
// Fails with `TOX_MISSING`, `TOX_DIMENSION_MISMATCH`, `TOX_IO`, `TOX_INVALID_ARGUMENT`.
//
// # Safety
// As `tox_file_write`; `first` and `step` lead to as many integers as the tensor has axes.
tox_status tox_file_write_part(const tox_file *file,
                               const char *name,
                               const DLTensor *tensor,
                               int32_t conj,
                               const int64_t *first,
                               const int64_t *step);

// Reads a tensor, or, unless `first` is NULL, the positions `first`, `first + step`, … along each axis, as many as
// the output has. Floating-point numbers of another precision are converted.
//
// Fails with `TOX_MISSING`, `TOX_DIMENSION_MISMATCH`, `TOX_ALIASING`, `TOX_IO`, `TOX_INVALID_ARGUMENT`; the output is
// then undefined.
//
// # Safety
// As `tox_file_write_part`; nothing else reads or writes the output.
tox_status tox_file_read(const tox_file *file,
                         const char *name,
                         const char *attribute,
                         const DLTensor *output,
                         const int64_t *first,
                         const int64_t *step);

// Writes a text under a new name, or as an attribute in the place of an old one: of variable length, or, if `fixed`,
// of its own.
//
// Fails as `tox_file_write`.
//
// # Safety
// As `tox_file_write`; `text` is a NUL-terminated string.
tox_status tox_file_write_text(const tox_file *file,
                               const char *name,
                               const char *attribute,
                               const char *text,
                               int32_t fixed);

// Reads a text, and writes it as `tox_plan_describe` writes.
//
// Fails with `TOX_MISSING`, `TOX_IO`, `TOX_INVALID_ARGUMENT`.
//
// # Safety
// As `tox_file_write`; `buffer` leads to room for `capacity` bytes.
tox_status tox_file_read_text(const tox_file *file,
                              const char *name,
                              const char *attribute,
                              char *buffer,
                              size_t capacity,
                              size_t *length);

// Makes a group, with those above it; does nothing if it is there.
//
// # Safety
// As `tox_file_write`.
tox_status tox_file_make_group(const tox_file *file, const char *name);

// Removes a name, or an attribute. The room that it took in the file is not given back.
//
// # Safety
// As `tox_file_write`.
tox_status tox_file_remove(const tox_file *file, const char *name, const char *attribute);

// What something is. Of a tensor, the first `capacity` extents are written, and as many of its chunks' where it has
// some.
//
// # Safety
// As `tox_file_write`; `item` leads to room for one, `extents` and `chunk` are NULL or lead to room for `capacity`
// integers.
tox_status tox_file_item(const tox_file *file,
                         const char *name,
                         const char *attribute,
                         tox_item *item,
                         int64_t *extents,
                         int64_t *chunk,
                         size_t capacity);

// Writes the names within a group, or, if `attributes`, those of the attributes of what has the name, as
// `tox_plan_describe` writes: in the order of the alphabet, a line break after each, and `\n` for one within a name
// (`\\` for a backslash).
//
// Fails with `TOX_MISSING`, `TOX_IO`, `TOX_INVALID_ARGUMENT`.
//
// # Safety
// As `tox_file_read_text`.
tox_status tox_file_names(const tox_file *file,
                          const char *name,
                          int32_t attributes,
                          char *buffer,
                          size_t capacity,
                          size_t *length);

// Makes an empty tape for tensors of an element type, to be released with `tox_tape_destroy`.
//
// All tensors of a tape are of its type; real results of complex steps are kept as numbers without imaginary part. A
// value that a function of the tape gave can be used until the tape is destroyed, or until a checkpoint that does not
// keep it.
//
// # Safety
// `tape` can be written.
tox_status tox_tape_create(DLDataType dtype, tox_tape **tape);

// Releases a tape and all that is on it. NULL is allowed.
//
// # Safety
// `tape` came from `tox_tape_create`, is not in use, and is not used again.
void tox_tape_destroy(tox_tape *tape);

// Copies a tensor to the tape: one that derivatives can be taken with respect to, or a constant.
//
// # Safety
// `tape` came from `tox_tape_create`, and nobody else uses it; the other pointers lead to what they are described as.
tox_status tox_tape_variable(tox_tape *tape, const DLTensor *tensor, tox_value *value);

// An Einstein summation of `count` values; `conj` is NULL, or has for each 1 if it is to be conjugated and 0 if not.
//
// Fails as `tox_plan_create`; with `TOX_INVALID_ARGUMENT` for a value that is not on the tape, or no longer.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_einsum(tox_tape *tape,
                           const char *expression,
                           const tox_value *operands,
                           size_t count,
                           const uint8_t *conj,
                           tox_value *value);

// An operation of linear algebra on `count` values. `rule` says which, and how derivatives deal with a gauge, from now
// on on the whole tape; `limits`, NULL for none, is for what truncates, and `atol` and `rtol` for what has a
// tolerance, `rtol` negative for the default. `results` gets a value for each of the operation's outputs, at most
// `capacity`.
//
// Fails as the operation; with `TOX_NO_DERIVATIVE` where results are complex and the tape is real.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_linalg(tox_tape *tape,
                           const tox_rule *rule,
                           const tox_truncation *limits,
                           double atol,
                           double rtol,
                           const tox_value *operands,
                           size_t count,
                           tox_value *results,
                           size_t capacity);

// The sum of `count` values of one shape, each times a number: `factors` has the real and the imaginary part of each.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_combine(tox_tape *tape,
                            const tox_value *terms,
                            const double *factors,
                            size_t count,
                            tox_value *value);

// A function of each element, one of `TOX_MAP_*`; `power` is for `TOX_MAP_POWER`.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_map(tox_tape *tape, int32_t function, int32_t power, tox_value x, tox_value *value);

// The same elements, the first axis fastest, in a shape of `rank` extents.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_reshape(tox_tape *tape, tox_value x, const int64_t *extents, size_t rank, tox_value *value);

// Writes the extents of a value, at most `capacity` of them, and their number to `*rank`, unless that is NULL.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_shape(const tox_tape *tape, tox_value value, int64_t *extents, size_t capacity, size_t *rank);

// Copies a value to the memory of a tensor of its shape.
//
// # Safety
// As `tox_tape_variable`; nobody else uses the tensor during the call.
tox_status tox_tape_read(const tox_tape *tape, tox_value value, const DLTensor *to);

// Ends a segment: of all that was computed since the last checkpoint, only `count` values stay, and what was given to
// the tape. Derivatives compute the rest again when they need it, one segment at a time; further steps cannot use it.
// A chain of n steps with a checkpoint after every √n needs memory for O(√n) of them.
//
// # Safety
// As `tox_tape_variable`.
tox_status tox_tape_checkpoint(tox_tape *tape, const tox_value *keep, size_t count);

// The cotangents of `count` values: of a loss of one element, whose real part L counts, δL = Σ Re⟨x̄, δx⟩. They are
// copied to the tensors that `cotangents` leads to, NULL for none.
//
// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT`, `TOX_NO_DERIVATIVE`, and as the steps.
//
// # Safety
// As `tox_tape_variable`; nobody else uses the tensors during the call.
tox_status tox_tape_gradient(tox_tape *tape,
                             tox_value loss,
                             const tox_value *wanted,
                             size_t count,
                             const DLTensor *const *cotangents);

// The change of a value where `count` values that were given to the tape change by their tangents; copied to `to`.
//
// Fails as `tox_tape_gradient`.
//
// # Safety
// As `tox_tape_gradient`; `tangents` leads to as many tensors.
tox_status tox_tape_jvp(tox_tape *tape,
                        const tox_value *given,
                        const DLTensor *tangents,
                        size_t count,
                        tox_value of,
                        const DLTensor *to);

// The gradient, and the product of the loss's Hessian with a direction: how the cotangents of the `count` values
// `wanted` change where the `moving` values `given` change by `tangents`. Both are copied to tensors, NULL for none.
//
// Fails as `tox_tape_gradient`.
//
// # Safety
// As `tox_tape_jvp`.
tox_status tox_tape_hvp(tox_tape *tape,
                        tox_value loss,
                        const tox_value *wanted,
                        size_t count,
                        const tox_value *given,
                        const DLTensor *tangents,
                        size_t moving,
                        const DLTensor *const *cotangents,
                        const DLTensor *const *products);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TENSOROXIDE_H */
