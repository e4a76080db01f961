/* A square lattice of tensors contracted over the ranks of MPI_COMM_WORLD, from C: how a host lends its MPI to the engine,
 * and what that takes. Rank 0 prints one line of numbers, as JSON.
 *
 *   mpicc -O2 -I rust/capi/include benchmark/ranks.c -o ranks -ldl
 *   mpiexec -n 4 ./ranks LIBRARY SIDE BOND SLICES LIMIT RUNS     (LIMIT in bytes for each rank, 0 for none)
 */
#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tensoroxide.h>

static void *engine;

static void *symbol(const char *name) {
    void *found = dlsym(engine, name);
    if (!found) {
        fprintf(stderr, "the engine has no %s\n", name);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    return found;
}
#define CALL(name, ...) \
    do { \
        tox_status (*f)() = (tox_status(*)())symbol(#name); \
        if (f(__VA_ARGS__) != TOX_OK) { \
            fprintf(stderr, #name ": %s\n", ((const char *(*)(void))symbol("tox_last_error"))()); \
            MPI_Abort(MPI_COMM_WORLD, 1); \
        } \
    } while (0)

/* A handle as a number, whatever it is in this library. */
#define NUMBER(handle) (sizeof(handle) == sizeof(int) ? (uint64_t)(uint32_t)(uintptr_t)(handle) : (uint64_t)(uintptr_t)(handle))

static tox_mpi lent(void) {
    tox_mpi mpi = {0};
    mpi.handle_size = sizeof(MPI_Comm);
    mpi.communicator = NUMBER(MPI_COMM_WORLD);
    mpi.byte = NUMBER(MPI_BYTE);
    mpi.errors_return = NUMBER(MPI_ERRORS_RETURN);
    mpi.any_source = MPI_ANY_SOURCE;
    mpi.thread_serialized = MPI_THREAD_SERIALIZED;
    mpi.initialized = (void *)MPI_Initialized, mpi.finalized = (void *)MPI_Finalized;
    mpi.query_thread = (void *)MPI_Query_thread, mpi.is_thread_main = (void *)MPI_Is_thread_main;
    mpi.comm_rank = (void *)MPI_Comm_rank, mpi.comm_size = (void *)MPI_Comm_size;
    mpi.comm_idup = (void *)MPI_Comm_idup, mpi.comm_free = (void *)MPI_Comm_free;
    mpi.comm_set_errhandler = (void *)MPI_Comm_set_errhandler;
    mpi.isend = (void *)MPI_Isend, mpi.irecv = (void *)MPI_Irecv, mpi.test = (void *)MPI_Test;
    mpi.cancel = (void *)MPI_Cancel, mpi.error_string = (void *)MPI_Error_string;
    return mpi;
}

static long resident(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss * 1024L;
}

int main(int argc, char **argv) {
    int provided;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
    if (argc != 7 || !(engine = dlopen(argv[1], RTLD_NOW))) {
        fprintf(stderr, "ranks LIBRARY SIDE BOND SLICES LIMIT RUNS; %s\n", argc == 7 ? dlerror() : "");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    int side = atoi(argv[2]), bond = atoi(argv[3]), runs = atoi(argv[6]);
    size_t slices = strtoull(argv[4], NULL, 10);
    uint64_t limit = strtoull(argv[5], NULL, 10);

    /* Site (x, y) has the bonds to its neighbours; bond 2·(x + side·y) leads right, the next one up. */
    size_t sites = (size_t)side * side;
    char *expression = calloc(sites, 80);
    int32_t *ranks = calloc(sites, sizeof *ranks);
    int64_t *extents = calloc(4 * sites, sizeof *extents);
    DLTensor *tensors = calloc(sites, sizeof *tensors);
    size_t at = 0, axes = 0;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            int site = x + side * y;
            int bonds[4] = {x ? 2 * (site - 1) : -1, x + 1 < side ? 2 * site : -1, y ? 2 * (site - side) + 1 : -1,
                            y + 1 < side ? 2 * site + 1 : -1};
            int64_t elements = 1, *shape = extents + axes;
            if (site) at += sprintf(expression + at, ",");
            for (int k = 0; k < 4; k++)
                if (bonds[k] >= 0) {
                    at += sprintf(expression + at, "{%d}", bonds[k]);
                    extents[axes++] = bond;
                    ranks[site]++;
                    elements *= bond;
                }
            int64_t *strides = calloc(4, sizeof *strides), stride = 1;
            for (int k = 0; k < ranks[site]; k++) strides[k] = stride, stride *= bond;
            double *data = calloc(elements, sizeof *data);
            for (int64_t k = 0; k < elements; k++) data[k] = (((k + 7 * site) * 37 % 101) / 101.0 - 0.3) / bond;
            tensors[site] = (DLTensor){data, {1, 0}, ranks[site], {2, 64, 1}, shape, strides, 0};
        }
    sprintf(expression + at, "->");

    tox_mpi mpi = lent();
    tox_communicator *communicator;
    CALL(tox_set_num_threads, (size_t)1);
    tox_status (*create)(const tox_mpi *, double, tox_communicator **) =
        (tox_status(*)(const tox_mpi *, double, tox_communicator **))symbol("tox_communicator_create");
    if (create(&mpi, 60.0, &communicator) != TOX_OK) MPI_Abort(MPI_COMM_WORLD, 1);
    tox_plan_request request = {expression, sites, ranks, extents, NULL, TOX_NUMBERS, {2, 64, 1}, limit, NULL, 0, 0, 0, -1.0};
    tox_shared *shared;
    CALL(tox_shared_create, communicator, &request, slices, &shared);
    tox_shared_info_t info;
    CALL(tox_shared_info, shared, &info);
    double result = 0.0;
    DLTensor output = {&result, {1, 0}, 0, {2, 64, 1}, NULL, NULL, 0};
    tox_status (*run)(const tox_shared *, const DLTensor *, size_t, const uint8_t *, const DLTensor *, int32_t, double, double,
                      double, double, tox_progress, void *) = symbol("tox_shared_run");
    long before = resident();
    double best = 1e300;
    for (int k = 0; k <= runs; k++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double since = MPI_Wtime();
        if (run(shared, tensors, sites, NULL, &output, 1, 1, 0, 0, 0, NULL, NULL) != TOX_OK) MPI_Abort(MPI_COMM_WORLD, 1);
        double took = MPI_Wtime() - since;
        if (k && took < best) best = took;          /* the first run takes the memory */
    }
    long more = resident() - before, most;
    MPI_Reduce(&more, &most, 1, MPI_LONG, MPI_MAX, 0, MPI_COMM_WORLD);

    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 0)
        printf("{\"ranks\": %d, \"seconds\": %.6f, \"slices\": %llu, \"leaves\": %llu, \"overhead\": %.3f, \"flops\": %.4g, "
               "\"promise\": %llu, \"resident\": %ld, \"result\": %.17g}\n",
               size, best, (unsigned long long)info.plan.slices, (unsigned long long)info.leaves, info.slicing_overhead,
               info.plan.flops, (unsigned long long)info.plan.peak_bytes, most, result);
    CALL(tox_communicator_free, communicator);
    MPI_Finalize();
    return 0;
}
