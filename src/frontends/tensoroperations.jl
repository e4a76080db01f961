# What a user of TensorOperations puts into `@tensor`. The extension for that package does the rest.

"""
    TensorOxideBackend()

The backend that makes TensorOperations compute with the engine, as in
`@tensor backend = TensorOxideBackend() C[a, b] := A[a, c] * B[c, b]`. It wants TensorOperations (5.8 or newer) to be
loaded, and is one of its `AbstractBackend`s. Throws an `ArgumentError` where that is not so.
"""
TensorOxideBackend(arguments...) = throw(ArgumentError(
    isempty(arguments) ? "TensorOxideBackend() wants TensorOperations (5.8 or newer) to be loaded: `using " *
                         "TensorOperations`" : "TensorOxideBackend takes no arguments"))

"""
    TensorOxideAllocator()

Memory for the temporaries of TensorOperations, as in
`@tensor backend = TensorOxideBackend() allocator = TensorOxideAllocator() …`: that of the task that computes, kept from
call to call. What a call returns is an ordinary `Array` of Julia's. Tasks never share temporaries, so nothing has to be
locked. `empty!(TensorOxideAllocator())` gives the memory of the task back, also that of a call that was broken off by
an error.
"""
struct TensorOxideAllocator end
Base.empty!(allocator::TensorOxideAllocator) = (empty!(task_scratch()); allocator)
