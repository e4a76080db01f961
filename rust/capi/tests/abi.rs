//! The functions as a foreign host calls them: what they compute, and above all what they refuse.

#![allow(unsafe_code)] // a foreign host calls with raw pointers

mod host;

use std::ffi::{c_char, CStr, CString};
use std::ptr::{null, null_mut};

use approx::assert_abs_diff_eq;
use host::{last_error, Host};
use tensoroxide::*;
use tensoroxide_tensor::dlpack::{DLDataType, DLDevice, DLTensor};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Scalar};

struct Planned(*mut tox_plan);

impl Drop for Planned {
    fn drop(&mut self) {
        // SAFETY: made by `tox_plan_create`, and dropped once.
        unsafe { tox_plan_destroy(self.0) }
    }
}

fn plan(expression: &str, shapes: &[&[i64]], dtype: DLDataType, limit: u64) -> Result<Planned, (tox_status, String)> {
    let expression = CString::new(expression).unwrap();
    let ranks: Vec<i32> = shapes.iter().map(|shape| shape.len() as i32).collect();
    let extents = shapes.concat();
    let request = tox_plan_request {
        expression: expression.as_ptr(),
        operands: shapes.len(),
        ranks: ranks.as_ptr(),
        extents: extents.as_ptr(),
        conj: null(),
        semiring: TOX_NUMBERS,
        dtype,
        memory_limit: limit,
        path: null(),
        path_form: TOX_PATH_OPT_EINSUM,
        minimize: TOX_MINIMIZE_TIME,
        seed: 0,
        search_time: -1.0,
    };
    let mut plan = null_mut();
    // SAFETY: the request points to the vectors above.
    match unsafe { tox_plan_create(&request, &mut plan) } {
        TOX_OK => Ok(Planned(plan)),
        status => {
            assert!(plan.is_null());
            Err((status, last_error()))
        }
    }
}

fn run(plan: &Planned, operands: &[DLTensor], output: &DLTensor) -> Result<(), (tox_status, String)> {
    let conj = null();
    // SAFETY: the tensors point to vectors of the calling test.
    match unsafe { tox_plan_run(plan.0, operands.as_ptr(), operands.len(), conj, output, 1.0, 0.0, 0.0, 0.0) } {
        TOX_OK => Ok(()),
        status => Err((status, last_error())),
    }
}

const F64: DLDataType = DLDataType { code: 2, bits: 64, lanes: 1 };

fn product<T: Scalar>() {
    let (mut a, mut b) = (Host::<T>::new(&[2, 3], |i| i as f64), Host::<T>::new(&[3, 2], |i| 1.0 + i as f64));
    let mut c = Host::<T>::new(&[2, 2], |_| f64::NAN);
    let plan = plan("ij,jk->ik", &[&[2, 3], &[3, 2]], T::DTYPE.into(), 0).unwrap();
    run(&plan, &[a.tensor(), b.tensor()], &c.tensor()).unwrap();
    let at = |t: &Host<T>, i: usize, j: usize| t.data[i + j * t.shape[0] as usize];
    for (i, k) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let expected: T = (0..3).map(|j| at(&a, i, j) * at(&b, j, k)).sum();
        assert_eq!(at(&c, i, k), expected, "{} at {i}, {k}", T::DTYPE);
    }
    // Both conjugated, twice the result and half of what was there: 2·conj(AB) + AB/2.
    let before = c.data.clone();
    let (operands, output) = ([a.tensor(), b.tensor()], c.tensor());
    // SAFETY: the tensors point to the vectors above.
    let status = unsafe { tox_plan_run(plan.0, operands.as_ptr(), 2, [1u8, 1].as_ptr(), &output, 2.0, 0.0, 0.5, 0.0) };
    assert_eq!(status, TOX_OK);
    for (x, y) in c.data.iter().zip(before) {
        assert_eq!(*x, T::from_c64(Complex64::new(2.0, 0.0)) * y.conj() + T::from_c64(Complex64::new(0.5, 0.0)) * y);
    }
}

#[test]
fn a_product_in_every_type() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => product::<T>());
    }
}

#[test]
fn missing_strides_are_row_major() {
    let (mut a, mut c) = (Host::<f64>::new(&[2, 3], |i| i as f64), Host::<f64>::new(&[2, 3], |_| 0.0));
    let plan = plan("ij->ij", &[&[2, 3]], F64, 0).unwrap();
    let row_major = DLTensor { strides: null_mut(), ..a.tensor() };
    run(&plan, &[row_major], &c.tensor()).unwrap();
    assert_eq!(c.data, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
}

#[test]
fn what_a_plan_says_of_itself() {
    let plan = plan("ab,bc,cd->ad", &[&[4, 5], &[5, 6], &[6, 7]], F64, 0).unwrap();
    let mut info = tox_plan_info_t {
        operands: 0,
        output_rank: 0,
        steps: 0,
        slices: 0,
        peak_bytes: 0,
        flops: 0.0,
        dtype: DType::F32.into(),
        log10_flops: 0.0,
        log2_size: 0.0,
    };
    let (mut shape, mut length, mut text) = ([0i64; 2], 0usize, [1 as c_char; 20]);
    // SAFETY: the pointers lead to the variables above.
    unsafe {
        assert_eq!(tox_plan_info(plan.0, &mut info), TOX_OK);
        assert_eq!(tox_plan_output_shape(plan.0, shape.as_mut_ptr(), 2), TOX_OK);
        assert_eq!(tox_plan_describe(plan.0, null_mut(), 0, &mut length), TOX_OK);
        assert_eq!(tox_plan_describe(plan.0, text.as_mut_ptr(), text.len(), null_mut()), TOX_OK);
        assert_eq!(CStr::from_ptr(text.as_ptr()).to_str(), Ok("ab,bc,cd->ad of Flo"));
        assert_eq!(tox_plan_describe(plan.0, null_mut(), 1, null_mut()), TOX_NULL_POINTER);
        assert_eq!(tox_plan_output_shape(plan.0, null_mut(), 2), TOX_NULL_POINTER);
        assert_eq!(tox_plan_info(plan.0, null_mut()), TOX_NULL_POINTER);
        assert_eq!(tox_plan_info(null(), &mut info), TOX_NULL_POINTER);
        tox_plan_destroy(null_mut());
    }
    assert_eq!((info.operands, info.output_rank, info.steps, info.slices, info.dtype), (3, 2, 2, 1, F64));
    assert_eq!((shape, info.flops), ([4, 7], 2.0 * (4 * 5 * 6 + 4 * 6 * 7) as f64));
    assert_eq!((info.log10_flops, info.log2_size), (info.flops.log10(), 28f64.log2()));
    assert!(length > 100);
}

#[test]
fn paths_in_and_out() {
    let (expression, ranks, extents) = (CString::new("ab,bc,cd->ad").unwrap(), [2i32; 3], [2i64; 6]);
    let request = |path: *const c_char, path_form| tox_plan_request {
        expression: expression.as_ptr(),
        operands: 3,
        ranks: ranks.as_ptr(),
        extents: extents.as_ptr(),
        conj: null(),
        semiring: TOX_NUMBERS,
        dtype: F64,
        memory_limit: 0,
        path,
        path_form,
        minimize: TOX_MINIMIZE_TIME,
        seed: 0,
        search_time: -1.0,
    };
    let mut text = [0 as c_char; 1000];
    // SAFETY: the pointers lead to the variables above, and the plans are destroyed once.
    unsafe {
        let mut read = |plan: *const tox_plan, form| {
            assert_eq!(tox_plan_path(plan, form, text.as_mut_ptr(), text.len(), null_mut()), TOX_OK);
            CStr::from_ptr(text.as_ptr()).to_owned()
        };
        let mut plan = null_mut();
        assert_eq!(tox_plan_create(&request(c"[[1,2],[0,1]]".as_ptr(), TOX_PATH_OPT_EINSUM), &mut plan), TOX_OK);
        assert_eq!(read(plan, TOX_PATH_SSA).to_str(), Ok("[[1,2],[0,3]]"));
        assert_eq!(read(plan, TOX_PATH_TREE).to_str(), Ok("[1,[2,3]]"));
        for form in [TOX_PATH_OPT_EINSUM, TOX_PATH_SSA, TOX_PATH_TREE, TOX_PATH_OMEINSUM, TOX_PATH_STORED] {
            let (text, mut again) = (read(plan, form), null_mut());
            assert_eq!(tox_plan_create(&request(text.as_ptr(), form), &mut again), TOX_OK, "{text:?}");
            assert_eq!(read(again, form), text);
            tox_plan_destroy(again);
        }
        assert_eq!(tox_plan_path(plan, 5, null_mut(), 0, null_mut()), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_plan_path(null(), 0, null_mut(), 0, null_mut()), TOX_NULL_POINTER);
        assert_eq!(tox_plan_path(plan, 0, null_mut(), 1, null_mut()), TOX_NULL_POINTER);
        tox_plan_destroy(plan);
        let refused = |path: &CStr, form, status, reason: &str| {
            let mut plan = null_mut();
            assert_eq!(tox_plan_create(&request(path.as_ptr(), form), &mut plan), status);
            assert_eq!((plan.is_null(), last_error().as_str()), (true, reason));
        };
        refused(c"[[0,1]]", 5, TOX_INVALID_ARGUMENT, "5 is no form of a path");
        let reason = "step 1 names position 3 (from 0), but only 3 tensors are left";
        refused(c"[[0,3],[0,1]]", TOX_PATH_OPT_EINSUM, TOX_INVALID_ARGUMENT, reason);
        refused(c"\xff", TOX_PATH_SSA, TOX_INVALID_ARGUMENT, "path is not UTF-8");
    }
}

#[test]
fn plans_that_cannot_be() {
    let status = |expression, shapes: &[&[i64]]| plan(expression, shapes, F64, 0).err().map(|e| e.0);
    let text = |expression, shapes: &[&[i64]]| plan(expression, shapes, F64, 0).err().unwrap().1;
    assert_eq!(status("ij,jk->iq", &[&[2, 3], &[3, 2]]), Some(TOX_INVALID_ARGUMENT));
    assert!(text("ij,jk->iq", &[&[2, 3], &[3, 2]]).starts_with("label 'q' of the output is in no operand"));
    assert_eq!(status("ij,jk->ik", &[&[2, 3]]), Some(TOX_INVALID_ARGUMENT));
    assert_eq!(status("ij,jk->ik", &[&[2, 3], &[3]]), Some(TOX_DIMENSION_MISMATCH));
    assert_eq!(status("ij,jk->ik", &[&[2, 3], &[4, 2]]), Some(TOX_DIMENSION_MISMATCH));
    let size = text("ij,jk->ik", &[&[2, 3], &[4, 2]]);
    assert!(size.starts_with("label 'j' has size 3 in operand 1, but size 4 in operand 2"), "{size}");
    assert_eq!(status("ij->ij", &[&[2, -3]]), Some(TOX_INVALID_ARGUMENT));
    assert_eq!(status("ij->ij", &[&[i64::MAX, i64::MAX]]), Some(TOX_OVERFLOW));
    assert_eq!(status("a,b,c->abc", &[&[1 << 30], &[1 << 30], &[1 << 30]]), Some(TOX_OVERFLOW));
    let limited = plan("ab,cd,ef->bdface", &[&[9, 9], &[9, 9], &[9, 9]], F64, 16).err().unwrap();
    assert_eq!(limited.0, TOX_INVALID_ARGUMENT);
    for (code, bits, lanes) in [(0, 64, 1), (2, 16, 1), (2, 64, 2), (4, 16, 1)] {
        let refused = plan("i->i", &[&[2]], DLDataType { code, bits, lanes }, 0).err().unwrap();
        assert_eq!(refused.0, TOX_UNSUPPORTED_DTYPE);
    }
    let mut made = null_mut();
    let (expression, bytes) = (CString::new("i->i").unwrap(), [0xffu8, 0]);
    let (ranks, extents) = ([1i32], [2i64]);
    let good = tox_plan_request {
        expression: expression.as_ptr(),
        operands: 1,
        ranks: ranks.as_ptr(),
        extents: extents.as_ptr(),
        conj: null(),
        semiring: TOX_NUMBERS,
        dtype: F64,
        memory_limit: 0,
        path: null(),
        path_form: TOX_PATH_OPT_EINSUM,
        minimize: TOX_MINIMIZE_TIME,
        seed: 0,
        search_time: -1.0,
    };
    // SAFETY: the requests point to the variables above, or to NULL.
    unsafe {
        assert_eq!(tox_plan_create(null(), &mut made), TOX_NULL_POINTER);
        assert_eq!(tox_plan_create(&good, null_mut()), TOX_NULL_POINTER);
        for request in [
            tox_plan_request { expression: null(), ..good },
            tox_plan_request { ranks: null(), ..good },
            tox_plan_request { extents: null(), ..good },
        ] {
            assert_eq!(tox_plan_create(&request, &mut made), TOX_NULL_POINTER);
        }
        let negative = tox_plan_request { ranks: [-1i32].as_ptr(), ..good };
        assert_eq!(tox_plan_create(&negative, &mut made), TOX_INVALID_ARGUMENT);
        let garbled = tox_plan_request { expression: bytes.as_ptr().cast(), ..good };
        assert_eq!(tox_plan_create(&garbled, &mut made), TOX_INVALID_ARGUMENT);
        let anything = tox_plan_request { minimize: 3, ..good };
        assert_eq!(tox_plan_create(&anything, &mut made), TOX_INVALID_ARGUMENT);
        assert_eq!(last_error(), "3 is nothing that a path can minimize");
        let never = tox_plan_request { search_time: f64::NAN, ..good };
        assert_eq!(tox_plan_create(&never, &mut made), TOX_INVALID_ARGUMENT);
        assert_eq!(last_error(), "the search time is not a number");
        assert!(made.is_null());
    }
}

#[test]
fn runs_that_cannot_be_write_nothing() {
    let plan = plan("ij,jk->ik", &[&[2, 3], &[3, 2]], F64, 0).unwrap();
    let (mut a, mut b) = (Host::<f64>::new(&[2, 3], |i| i as f64), Host::<f64>::new(&[3, 2], |i| i as f64));
    let mut single = Host::<f32>::new(&[3, 2], |i| i as f64);
    let mut c = Host::<f64>::new(&[2, 2], |_| 7.0);
    let (ta, tb, tc) = (a.tensor(), b.tensor(), c.tensor());
    let refused = |operands: &[DLTensor], output: &DLTensor| run(&plan, operands, output).unwrap_err();
    assert_eq!(refused(&[ta], &tc).0, TOX_INVALID_ARGUMENT);
    assert_eq!(refused(&[ta, ta], &tc).0, TOX_DIMENSION_MISMATCH);
    let mixed = refused(&[ta, single.tensor()], &tc);
    let text = "operand 2: the tensor has elements of type Float32, where Float64 is needed";
    assert_eq!(mixed, (TOX_INVALID_ARGUMENT, text.to_owned()));
    assert_eq!(refused(&[ta, tb], &ta).0, TOX_DIMENSION_MISMATCH);
    // An output in the memory of an operand; one that overlaps itself.
    assert_eq!(refused(&[ta, tb], &DLTensor { data: ta.data, ..tc }).0, TOX_ALIASING);
    let mut still = [0i64, 1];
    assert_eq!(refused(&[ta, tb], &DLTensor { strides: still.as_mut_ptr(), ..tc }).0, TOX_ALIASING);
    assert_eq!(refused(&[ta, DLTensor { data: null_mut(), ..tb }], &tc).0, TOX_INVALID_ARGUMENT);
    assert_eq!(refused(&[ta, DLTensor { shape: null_mut(), ..tb }], &tc).0, TOX_INVALID_ARGUMENT);
    assert_eq!(refused(&[ta, tb], &DLTensor { byte_offset: 4, ..tc }).0, TOX_INVALID_ARGUMENT);
    let elsewhere = DLDevice { device_type: 2, device_id: 0 };
    assert_eq!(refused(&[ta, DLTensor { device: elsewhere, ..tb }], &tc).0, TOX_INVALID_ARGUMENT);
    let mut negative = [3i64, -2];
    assert_eq!(refused(&[ta, DLTensor { shape: negative.as_mut_ptr(), ..tb }], &tc).0, TOX_INVALID_ARGUMENT);
    let mut huge = [i64::MAX, 2];
    assert_eq!(refused(&[ta, DLTensor { strides: huge.as_mut_ptr(), ..tb }], &tc).0, TOX_OVERFLOW);
    // SAFETY: the other pointers lead to the tensors above.
    unsafe {
        let (operands, none) = ([ta, tb], null());
        assert_eq!(tox_plan_run(null(), operands.as_ptr(), 2, none, &tc, 1.0, 0.0, 0.0, 0.0), TOX_NULL_POINTER);
        assert_eq!(tox_plan_run(plan.0, null(), 2, none, &tc, 1.0, 0.0, 0.0, 0.0), TOX_NULL_POINTER);
        assert_eq!(tox_plan_run(plan.0, operands.as_ptr(), 2, none, null(), 1.0, 0.0, 0.0, 0.0), TOX_NULL_POINTER);
    }
    assert!(c.data.iter().all(|&x| x == 7.0));
}

fn cut_to_one() -> tox_truncation {
    tox_truncation {
        maxrank: 1,
        minrank: 1,
        atol: 0.0,
        rtol: 0.0,
        discarded_weight: 0.0,
        keep_multiplets: 0,
        method: TOX_METHOD_FULL,
        seed: 0,
        tol: -1.0,
    }
}

#[test]
fn decompositions_and_what_they_refuse() {
    let mut a = Host::<f64>::new(&[3, 2], |i| [3.0, 0.0, 0.0, 0.0, 2.0, 0.0][i]);
    let (mut u, mut vh) = (Host::<f64>::new(&[3, 2], |_| 7.0), Host::<f64>::new(&[2, 2], |_| 7.0));
    let (mut s, mut wrong) = (Host::<f64>::new(&[2], |_| 7.0), Host::<f32>::new(&[2], |_| 7.0));
    let (ta, tu, ts, tv) = (a.tensor(), u.tensor(), s.tensor(), vh.tensor());
    let limits = cut_to_one();
    let (mut rank, mut error) = (0, 0.0);
    // SAFETY: the tensors point to the vectors above.
    unsafe {
        assert_eq!(tox_svd_trunc(&ta, 0, &limits, &tu, &ts, &tv, &mut rank, &mut error, null()), TOX_OK);
        assert_eq!((rank, error, s.data[0], u.data[0], vh.data[0]), (1, 2.0, 3.0, 1.0, 1.0));
        assert_eq!((s.data[1], u.data[3]), (7.0, 7.0), "beyond the rank nothing is written");
        assert_eq!(tox_svd_trunc(&ta, 0, null(), &tu, &ts, &tv, &mut rank, &mut error, null()), TOX_OK);
        assert_eq!((rank, error), (2, 0.0));
        assert_eq!(tox_svd_compact(&ta, 0, &tu, &ts, &tv, null()), TOX_OK);
        assert_eq!(s.data, [3.0, 2.0]);
        s.data.fill(7.0);

        let negative = tox_truncation { minrank: -1, ..limits };
        assert_eq!(
            tox_svd_trunc(&ta, 0, &negative, &tu, &ts, &tv, &mut rank, &mut error, null()),
            TOX_INVALID_ARGUMENT
        );
        let nan = tox_truncation { rtol: f64::NAN, ..limits };
        let method = tox_truncation { method: 3, ..limits };
        assert_eq!(tox_svd_trunc(&ta, 0, &method, &tu, &ts, &tv, &mut rank, &mut error, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(last_error(), "there is no method 3");
        let tol = tox_truncation { method: TOX_METHOD_AUTO, tol: f64::NAN, ..limits };
        assert_eq!(tox_svd_trunc(&ta, 0, &tol, &tu, &ts, &tv, &mut rank, &mut error, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_svd_trunc(&ta, 0, &nan, &tu, &ts, &tv, &mut rank, &mut error, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_svd_trunc(&ta, 0, &limits, &tu, &ts, &tv, null_mut(), &mut error, null()), TOX_NULL_POINTER);
        assert_eq!(tox_svd_compact(&ta, 0, &tu, &wrong.tensor(), &tv, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(last_error(), "s has elements of type Float32, where Float64 is needed");
        assert_eq!(tox_svd_compact(&ta, 0, &ta, &ts, &tv, null()), TOX_ALIASING);
        assert_eq!(last_error(), "u shares memory with a; give one of them memory of its own (a copy)");
        assert_eq!(tox_svd_compact(&ta, 0, &tu, &ts, &DLTensor { data: tu.data, ..tv }, null()), TOX_ALIASING);
        assert_eq!(tox_svd_compact(&ta, 0, &tv, &ts, &tu, null()), TOX_DIMENSION_MISMATCH);
        assert_eq!(tox_svd_compact(null(), 0, &tu, &ts, &tv, null()), TOX_NULL_POINTER);
        assert_eq!(tox_qr_compact(&ta, 0, &tu, &tv, null()), TOX_OK);
        assert_eq!(vh.data, [3.0, 0.0, 0.0, 2.0]);
        assert_eq!(tox_qr_compact(&ta, 0, &tu, null(), null()), TOX_NULL_POINTER);
        assert_eq!(tox_eigh_full(&ta, 0, &ts, &tv, null()), TOX_DIMENSION_MISMATCH);
        let mut symmetric = Host::<f64>::new(&[2, 2], |i| [2.0, 1.0, 1.0, 2.0][i]);
        assert_eq!(tox_eigh_full(&symmetric.tensor(), 0, &ts, &tv, null()), TOX_OK);
        assert_abs_diff_eq!(s.data[..], [1.0, 3.0][..], epsilon = 3.0 * f64::EPSILON);
        s.data.fill(7.0);
        a.data[1] = f64::NAN;
        assert_eq!(tox_svd_compact(&ta, 0, &tu, &ts, &tv, null()), TOX_NOT_FINITE);
        a.data[1] = f64::INFINITY;
        assert_eq!(tox_qr_compact(&ta, 0, &tu, &tv, null()), TOX_NOT_FINITE);
    }
    assert_eq!(s.data, [7.0, 7.0]);
}

/// Each function once, and what it refuses beyond what all refuse.
#[test]
fn further_decompositions() {
    let host = |shape: &[i64]| Host::<f64>::new(shape, |_| 7.0);
    let (mut a, mut square) = (host(&[2, 1]), Host::<f64>::new(&[2, 2], |i| [2.0, 0.0, 0.0, -3.0][i]));
    a.data.copy_from_slice(&[3.0, 4.0]);
    let (mut tall, mut wide, mut one) = (host(&[2, 1]), host(&[1, 2]), host(&[1, 1]));
    let (mut x, mut y, mut s, mut s1, mut number) = (host(&[2, 2]), host(&[2, 2]), host(&[2]), host(&[1]), host(&[]));
    let (ta, tq, t21, t12) = (a.tensor(), square.tensor(), tall.tensor(), wide.tensor());
    let (t11, tx, ty, ts, ts1, tn) = (one.tensor(), x.tensor(), y.tensor(), s.tensor(), s1.tensor(), number.tensor());
    let mut strides = [2i64, 1];
    let mut row = [1i64, 2];
    let at = DLTensor { shape: row.as_mut_ptr(), strides: strides.as_mut_ptr(), ..ta };
    let close = |x: &[f64], y: &[f64]| assert_abs_diff_eq!(x, y, epsilon = 8.0 * f64::EPSILON);
    // SAFETY: the tensors point to the vectors above.
    unsafe {
        assert_eq!(tox_svd_full(&ta, 0, &tx, &ts1, &t11, null()), TOX_OK);
        close(&x.data, &[0.6, 0.8, 0.8, -0.6]);
        s1.data.fill(0.0);
        assert_eq!(tox_svd_vals(&ta, 0, &ts1, null()), TOX_OK);
        close(&s1.data, &[5.0]);
        assert_eq!(tox_qr_full(&ta, 0, &tx, &t21, null()), TOX_OK);
        close(&tall.data, &[5.0, 0.0]);
        assert_eq!(tox_qr_null(&ta, 0, &t21, null()), TOX_OK);
        close(&tall.data, &[0.8, -0.6]);
        assert_eq!(tox_lq_compact(&at, 0, &t11, &t12, null()), TOX_OK);
        close(&wide.data, &[0.6, 0.8]);
        assert_eq!(tox_lq_full(&at, 0, &t12, &tx, null()), TOX_OK);
        close(&wide.data, &[5.0, 0.0]);
        assert_eq!(tox_lq_null(&at, 0, &t12, null()), TOX_OK);
        close(&wide.data, &[0.8, -0.6]);
        assert_eq!(tox_left_polar(&ta, 0, &t21, &t11, null()), TOX_OK);
        close(&[tall.data[0], tall.data[1], one.data[0]], &[0.6, 0.8, 5.0]);
        assert_eq!(tox_right_polar(&at, 0, &t11, &t12, null()), TOX_OK);
        close(&wide.data, &[0.6, 0.8]);
        assert_eq!(tox_left_polar(&at, 0, &t12, &tx, null()), TOX_DIMENSION_MISMATCH);

        let (mut p, mut rank) = ([7i64; 2], 7i64);
        assert_eq!(tox_qr_pivoted(&tq, 0, 2.5, -1.0, &tx, &ty, p.as_mut_ptr(), &mut rank, null()), TOX_OK);
        assert_eq!((p, rank), ([1, 0], 1));
        assert_eq!(tox_qr_pivoted(&tq, 0, 0.0, 0.0, &tx, &ty, null_mut(), &mut rank, null()), TOX_NULL_POINTER);
        let refused = tox_qr_pivoted(&tq, 0, f64::NAN, 0.0, &tx, &ty, p.as_mut_ptr(), &mut rank, null());
        assert_eq!(refused, TOX_INVALID_ARGUMENT);

        assert_eq!(tox_eigh_vals(&tq, 0, &ts, null()), TOX_OK);
        close(&s.data, &[-3.0, 2.0]);
        assert_eq!(tox_eigh_range(&tq, 0, 1, &ts1, &t21, null()), TOX_OK);
        close(&[s1.data[0], tall.data[0]], &[2.0, 1.0]);
        assert_eq!(tox_eigh_range(&tq, 0, 2, &ts1, &t21, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_eigh_range(&tq, 0, -1, &ts1, &t21, null()), TOX_INVALID_ARGUMENT);
        let limits = cut_to_one();
        let mut error = 7.0;
        assert_eq!(tox_eigh_trunc(&tq, 0, &limits, &ts1, &t21, &mut rank, &mut error, null()), TOX_OK);
        close(&[s1.data[0], error], &[-3.0, 2.0]);
        assert_eq!(tox_eigh_trunc(&tq, 0, null(), &ts, &tx, &mut rank, null_mut(), null()), TOX_NULL_POINTER);

        assert_eq!(tox_hermitian_function(&tq, 0, TOX_FUNCTION_INV, &tx, null()), TOX_OK);
        close(&x.data, &[0.5, 0.0, 0.0, -1.0 / 3.0]);
        assert_eq!(tox_hermitian_function(&tq, 0, TOX_FUNCTION_LOG, &tx, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(last_error(), "the function is not a finite number at the eigenvalue -3");
        assert_eq!(tox_hermitian_function(&tq, 0, 9, &tx, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_expm(&tq, 0, &tx, null()), TOX_OK);
        close(&[x.data[0] / 2f64.exp(), x.data[3]], &[1.0, (-3f64).exp()]);
        for (kind, norm) in [
            (TOX_NORM_FROBENIUS, 13f64.sqrt()),
            (TOX_NORM_SPECTRAL, 3.0),
            (TOX_NORM_NUCLEAR, 5.0),
            (TOX_NORM_ONE, 3.0),
            (TOX_NORM_INFINITY, 3.0),
        ] {
            number.data.fill(7.0);
            assert_eq!(tox_norm(&tq, kind, &tn, null()), TOX_OK);
            close(&number.data, &[norm]);
        }
        assert_eq!(tox_norm(&tq, 9, &tn, null()), TOX_INVALID_ARGUMENT);
    }
}

#[test]
fn settings() {
    assert_eq!(tox_abi_version(), TOX_ABI_VERSION);
    // SAFETY: the version is a constant string.
    assert_eq!(unsafe { CStr::from_ptr(tox_version()) }.to_str(), Ok(env!("CARGO_PKG_VERSION")));
    assert_eq!((tox_set_num_threads(2), tox_num_threads()), (TOX_OK, 2));
    assert_eq!((tox_set_num_threads(0), tox_set_num_threads(257)), (TOX_INVALID_ARGUMENT, TOX_INVALID_ARGUMENT));
    assert_eq!((tox_set_num_threads(1), tox_num_threads()), (TOX_OK, 1));
    assert_eq!((tox_set_provider(TOX_PROVIDER_OWN), tox_provider()), (TOX_OK, TOX_PROVIDER_OWN));
    assert_eq!((tox_set_provider(7), tox_provider()), (TOX_INVALID_ARGUMENT, TOX_PROVIDER_OWN));
    assert_eq!((tox_set_provider(TOX_PROVIDER_LENT), tox_provider()), (TOX_OK, TOX_PROVIDER_LENT));
    // SAFETY: the names are constant strings.
    unsafe {
        assert_eq!(tox_lend_blas(c"dgemm".as_ptr(), null()), TOX_NULL_POINTER);
        assert_eq!(tox_lend_blas(null(), null()), TOX_NULL_POINTER);
        assert_eq!(tox_lend_blas(c"dgemv".as_ptr(), settings as *const _), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_lend_lapack(c"dnothing".as_ptr(), settings as *const _), TOX_INVALID_ARGUMENT);
        assert_eq!((tox_is_lent(c"dgemm".as_ptr()), tox_is_lent(null())), (0, 0));
    }
}

struct Space(*mut tox_krylov);

impl Space {
    fn new(dtype: DLDataType) -> Space {
        let mut space = null_mut();
        // SAFETY: the pointer leads to the variable above.
        assert_eq!(unsafe { tox_krylov_create(dtype, &mut space) }, TOX_OK);
        Space(space)
    }

    fn info(&self) -> tox_krylov_info_t {
        let mut info = tox_krylov_info_t { converged: 9, numiter: 9, numops: 9, results: 9 };
        // SAFETY: the pointers lead to the variable above and to what `tox_krylov_create` made.
        assert_eq!(unsafe { tox_krylov_info(self.0, &mut info) }, TOX_OK);
        info
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // SAFETY: made by `tox_krylov_create`, and dropped once.
        unsafe { tox_krylov_destroy(self.0) }
    }
}

const PROBLEM: tox_krylov_problem = tox_krylov_problem {
    method: TOX_EIGSOLVE,
    which: TOX_LARGEST_REAL,
    howmany: 1,
    krylovdim: 10,
    maxiter: 10,
    tol: 1e-10,
    rtol: 0.0,
    eager: 0,
    t_re: 1.0,
    t_im: 0.0,
    a0_re: 0.0,
    a0_im: 0.0,
    a1_re: 1.0,
    a1_im: 0.0,
};

/// Applies the matrix (2 1; 1 2) until the problem ends.
fn step_through<T: Scalar>(space: &Space) {
    let (mut x, mut y) = (null(), null_mut());
    loop {
        // SAFETY: the pointers lead to the variables above; the engine's vectors have two elements.
        unsafe {
            assert_eq!(tox_krylov_next(space.0, &mut x, &mut y), TOX_OK, "{}", last_error());
            if x.is_null() {
                return assert!(y.is_null());
            }
            let (x, y) = (x.cast::<T>(), y.cast::<T>());
            *y = *x + *x + *x.add(1);
            *y.add(1) = *x + *x.add(1) + *x.add(1);
        }
    }
}

fn krylov_methods<T: Scalar>() {
    let space = Space::new(T::DTYPE.into());
    let mut start = Host::<T>::new(&[2], |i| 1.0 - i as f64);
    start.data = vec![T::ONE, T::ZERO];
    let mut found = Host::<T>::new(&[2, 1], |_| f64::NAN);
    let mut left = Host::<T>::new(&[2], |_| f64::NAN);
    let (mut value, mut normres) = (0.0, 0.0);
    let near = |x: &[T], expected: [f64; 2]| {
        for (x, expected) in x.iter().zip(expected) {
            assert!((x.to_c64() - expected).norm() < 1e-5, "{x:?} {expected}");
        }
    };
    let e = [(1f64.exp() + 3f64.exp()) / 2.0, (3f64.exp() - 1f64.exp()) / 2.0];
    let root = 0.5f64.sqrt();
    let cases = [
        (TOX_EIGSOLVE, 3.0, [root, root]),
        (TOX_EXPONENTIATE, 0.0, e),
        (TOX_LINSOLVE, 0.0, [2.0 / 3.0, -1.0 / 3.0]),
        (TOX_LINSOLVE_POSITIVE, 0.0, [2.0 / 3.0, -1.0 / 3.0]),
    ];
    for (method, eigenvalue, expected) in cases {
        // What single precision can reach.
        let problem = tox_krylov_problem { method, tol: 1e-6, ..PROBLEM };
        let mut right = Host::<T>::new(&[2], |_| 0.0);
        right.data = vec![T::ONE, T::ZERO];
        let (x, b, vector, residual) = (start.tensor(), right.tensor(), found.tensor(), left.tensor());
        let no_residual = method == TOX_EXPONENTIATE;
        let residual: *const DLTensor = if no_residual { null() } else { &residual };
        // SAFETY: the pointers lead to the variables above.
        unsafe {
            assert_eq!(tox_krylov_start(space.0, &problem, &x, &b), TOX_OK, "{}", last_error());
            let before = tox_krylov_result(space.0, 0, &mut value, &mut normres, &vector, null());
            assert_eq!((before, space.info().results), (TOX_INVALID_ARGUMENT, 0));
            step_through::<T>(&space);
            assert_eq!(tox_krylov_result(space.0, 0, &mut value, &mut normres, &vector, residual), TOX_OK);
            assert_eq!(tox_krylov_result(space.0, 1, null_mut(), null_mut(), null(), null()), TOX_INVALID_ARGUMENT);
        }
        near(&found.data, expected);
        assert!((value - eigenvalue).abs() < 1e-5 && normres < 1e-5);
        let info = space.info();
        assert_eq!((info.converged, info.results), (1, 1));
        assert!(info.numops >= 2 && info.numiter >= 1);
    }

    // The same by a plan: the engine runs it.
    let plan = plan("ij,j->i", &[&[2, 2], &[2]], T::DTYPE.into(), 0).unwrap();
    let mut matrix = Host::<T>::new(&[2, 2], |_| 0.0);
    matrix.data = [2.0, 1.0, 1.0, 2.0].map(|x| T::from_c64(x.into())).to_vec();
    let (x, operands, vector) = (start.tensor(), [matrix.tensor(), start.tensor()], found.tensor());
    let run = |free| {
        // SAFETY: the tensors point to the vectors above.
        unsafe { tox_krylov_run_plan(space.0, plan.0, operands.as_ptr(), 2, null(), free) }
    };
    // SAFETY: as above.
    unsafe {
        assert_eq!(tox_krylov_start(space.0, &PROBLEM, &x, null()), TOX_OK);
        assert_eq!(run(0), TOX_DIMENSION_MISMATCH);
        assert_eq!(run(2), TOX_INVALID_ARGUMENT);
        assert_eq!(run(1), TOX_OK);
        assert_eq!(tox_krylov_result(space.0, 0, &mut value, null_mut(), &vector, null()), TOX_OK);
    }
    assert!((value - 3.0).abs() < 1e-5);
    near(&found.data, [root, root]);
    // One operand alone is half a map.
    // SAFETY: as above.
    unsafe {
        assert_eq!(tox_krylov_run_plan(space.0, plan.0, operands.as_ptr(), 1, null(), 0), TOX_INVALID_ARGUMENT);
        let conj = [0u8, 1];
        let antilinear = tox_krylov_run_plan(space.0, plan.0, operands.as_ptr(), 2, conj.as_ptr(), 1);
        assert_eq!(antilinear == TOX_INVALID_ARGUMENT, T::DTYPE.is_complex());
    }
}

#[test]
fn krylov_methods_in_every_type() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => krylov_methods::<T>());
    }
}

#[test]
fn krylov_problems_that_are_refused() {
    let space = Space::new(F64);
    let (mut x, mut single) = (Host::<f64>::new(&[3], |_| 0.0), Host::<f32>::new(&[3], |_| 1.0));
    let mut short = Host::<f64>::new(&[2], |_| 1.0);
    let (zero, single, short) = (x.tensor(), single.tensor(), short.tensor());
    let start = |problem: &tox_krylov_problem, x: *const DLTensor, b: *const DLTensor| {
        // SAFETY: the tensors point to the vectors above.
        unsafe { tox_krylov_start(space.0, problem, x, b) }
    };
    let linsolve = tox_krylov_problem { method: TOX_LINSOLVE, ..PROBLEM };
    assert_eq!(start(&tox_krylov_problem { method: 9, ..PROBLEM }, &zero, null()), TOX_INVALID_ARGUMENT);
    assert_eq!(start(&tox_krylov_problem { which: 9, ..PROBLEM }, &zero, null()), TOX_INVALID_ARGUMENT);
    assert_eq!(start(&tox_krylov_problem { howmany: 4, ..PROBLEM }, &zero, null()), TOX_INVALID_ARGUMENT);
    assert_eq!(start(&PROBLEM, null(), null()), TOX_NULL_POINTER);
    assert_eq!(start(&PROBLEM, &single, null()), TOX_INVALID_ARGUMENT);
    assert_eq!(start(&linsolve, &zero, null()), TOX_NULL_POINTER);
    assert_eq!(start(&linsolve, &zero, &short), TOX_DIMENSION_MISMATCH);
    assert_eq!(start(&PROBLEM, &zero, null()), TOX_OK);
    let (mut from, mut to) = (null(), null_mut());
    // SAFETY: the pointers lead to the variables above, or are NULL, which is refused.
    unsafe {
        assert_eq!(tox_krylov_next(space.0, &mut from, &mut to), TOX_INVALID_ARGUMENT);
        assert!(last_error().contains("zero"), "{}", last_error());
        assert_eq!((tox_krylov_next(space.0, &mut from, &mut to), from.is_null()), (TOX_OK, true));
        assert_eq!(tox_krylov_next(space.0, null_mut(), &mut to), TOX_NULL_POINTER);
        assert_eq!(tox_krylov_next(null_mut(), &mut from, &mut to), TOX_NULL_POINTER);
        assert_eq!(
            tox_krylov_create(DLDataType { code: 0, bits: 8, lanes: 1 }, &mut null_mut()),
            TOX_UNSUPPORTED_DTYPE
        );
        assert_eq!(tox_krylov_create(F64, null_mut()), TOX_NULL_POINTER);
        tox_krylov_destroy(null_mut());
    }
}

/// C = A·conj(B) with value, cotangents, tangents and second order, checked by sums over indices.
fn product_derivatives<T: Scalar>() {
    let mut a = Host::<T>::new(&[2, 3], |i| i as f64 - 1.0);
    let mut b = Host::<T>::new(&[3, 2], |i| 1.0 + i as f64);
    let mut da = Host::<T>::new(&[2, 3], |i| 0.5 * i as f64);
    let mut bar = Host::<T>::new(&[2, 2], |i| 2.0 - i as f64);
    let nan = |shape: &[i64]| Host::<T>::new(shape, |_| f64::NAN);
    let (mut c, mut a_bar, mut b_bar, mut dc, mut db_bar) =
        (nan(&[2, 2]), nan(&[2, 3]), nan(&[3, 2]), nan(&[2, 2]), nan(&[3, 2]));
    let plan = plan("ij,jk->ik", &[&[2, 3], &[3, 2]], T::DTYPE.into(), 0).unwrap();
    let operands = [a.tensor(), b.tensor()];
    let (out, cotangent, tangent) = (c.tensor(), bar.tensor(), da.tensor());
    let (to_a, to_b, to_dc, to_db) = (a_bar.tensor(), b_bar.tensor(), dc.tensor(), db_bar.tensor());
    let (mut gradient, mut record, mut bytes) = (null_mut(), null_mut(), u64::MAX);
    let (wanted, along, second) =
        ([&raw const to_a, &raw const to_b], [&raw const tangent, null()], [null(), &raw const to_db]);
    // SAFETY: the tensors point to the vectors above; the handles are used while they live and destroyed once.
    unsafe {
        assert_eq!(tox_gradient_create(plan.0, [0u8, 1].as_ptr(), &mut gradient), TOX_OK, "{}", last_error());
        let at = operands.as_ptr();
        let status = tox_gradient_run(gradient, at, 2, &out, 1.0, 0.0, 0.0, 0.0, &cotangent, wanted.as_ptr());
        assert_eq!(status, TOX_OK, "{}", last_error());
        let status = tox_gradient_jvp(gradient, at, 2, along.as_ptr(), null(), &to_dc, 1.0, 0.0, 0.0, 0.0);
        assert_eq!(status, TOX_OK, "{}", last_error());
        let status = tox_gradient_pullback_jvp(
            gradient,
            at,
            2,
            along.as_ptr(),
            1.0,
            0.0,
            &cotangent,
            null(),
            null(),
            second.as_ptr(),
        );
        assert_eq!(status, TOX_OK, "{}", last_error());
    }
    let at = |t: &Host<T>, i: usize, j: usize| t.data[i + j * t.shape[0] as usize];
    let check = |found: &Host<T>, expected: &dyn Fn(usize, usize) -> T, what: &str| {
        for (i, j) in (0..found.shape[0] as usize).flat_map(|i| (0..found.shape[1] as usize).map(move |j| (i, j))) {
            assert_eq!(at(found, i, j), expected(i, j), "{} {what} at {i}, {j}", T::DTYPE);
        }
    };
    let sum = |n: usize, f: &dyn Fn(usize) -> T| (0..n).map(f).sum::<T>();
    // C = A·B*: Ā = C̄·Bᵀ, and of B, which is conjugated, B̄ = C̄*ᵀ·A transposed: the small numbers are exact.
    check(&c, &|i, k| sum(3, &|j| at(&a, i, j) * at(&b, j, k).conj()), "value");
    check(&dc, &|i, k| sum(3, &|j| at(&da, i, j) * at(&b, j, k).conj()), "tangent");
    check(&a_bar, &|i, j| sum(2, &|k| at(&bar, i, k) * at(&b, j, k)), "cotangent of A");
    check(&b_bar, &|j, k| sum(2, &|i| at(&bar, i, k).conj() * at(&a, i, j)), "cotangent of B");
    check(&db_bar, &|j, k| sum(2, &|i| at(&bar, i, k).conj() * at(&da, i, j)), "second order");

    // In two halves, of which the second runs twice, and lives longer than what it came from.
    let before = (a_bar.data.clone(), b_bar.data.clone());
    // SAFETY: as above.
    unsafe {
        let at = operands.as_ptr();
        let status = tox_gradient_forward(gradient, at, 2, &out, 1.0, 0.0, 0.0, 0.0, &mut record);
        assert_eq!(status, TOX_OK, "{}", last_error());
        tox_gradient_destroy(gradient);
        for wanted in [[null(), &raw const to_b], [&raw const to_a, null()]] {
            a_bar.data.fill(T::ZERO);
            b_bar.data.fill(T::ZERO);
            assert_eq!(tox_record_pullback(record, at, 2, &cotangent, wanted.as_ptr()), TOX_OK, "{}", last_error());
            let (a_wanted, b_wanted) = (!wanted[0].is_null(), !wanted[1].is_null());
            assert_eq!(a_bar.data == before.0, a_wanted);
            assert_eq!(b_bar.data == before.1, b_wanted);
        }
        assert_eq!(tox_record_bytes(record, &mut bytes), TOX_OK);
        assert_eq!(bytes, 0, "a pair keeps nothing");
        assert_eq!(tox_record_pullback(record, at, 2, null(), wanted.as_ptr()), TOX_NULL_POINTER);
        assert_eq!(tox_record_pullback(record, at, 2, &operands[0], wanted.as_ptr()), TOX_DIMENSION_MISMATCH);
        assert_eq!(last_error(), "the cotangent of the output: expected size [2, 2], not [2, 3]");
        assert_eq!(tox_record_pullback(record, at, 1, &cotangent, wanted.as_ptr()), TOX_INVALID_ARGUMENT);
        let twice = [&raw const to_a, &raw const operands[1]];
        assert_eq!(tox_record_pullback(record, at, 2, &cotangent, twice.as_ptr()), TOX_ALIASING);
        assert_eq!(tox_record_pullback(null_mut(), at, 2, &cotangent, wanted.as_ptr()), TOX_NULL_POINTER);
        tox_record_destroy(record);
        tox_record_destroy(null_mut());
        tox_gradient_destroy(null_mut());
        assert_eq!(tox_gradient_create(null(), null(), &mut gradient), TOX_NULL_POINTER);
    }
}

#[test]
fn derivatives_in_every_type() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => product_derivatives::<T>());
    }
}

struct Taped(*mut tox_tape);

impl Drop for Taped {
    fn drop(&mut self) {
        // SAFETY: made by `tox_tape_create`, and dropped once.
        unsafe { tox_tape_destroy(self.0) }
    }
}

fn step(call: impl FnOnce(*mut tox_value) -> tox_status) -> tox_value {
    let mut value = tox_value::MAX;
    assert_eq!(call(&mut value), TOX_OK, "{}", last_error());
    value
}

const NO_RULE: tox_rule = tox_rule {
    operation: TOX_RULE_INV,
    variant: 0,
    report_gauge: 0,
    free_phases: 0,
    gauge_tolerance: -1.0,
    degeneracy: -1.0,
};

/// L = Re Σ (A⁻¹·x)²/2 for a diagonal A, whose derivatives can be written down.
fn taped<T: Scalar>() {
    let mut a = Host::<T>::new(&[2, 2], |i| [2.0, 0.0, 0.0, 4.0][i]);
    let mut x = Host::<T>::new(&[2, 1], |i| 1.0 + i as f64);
    let (mut x_bar, mut dx, mut hx) = (
        Host::<T>::new(&[2, 1], |_| f64::NAN),
        Host::<T>::new(&[2, 1], |_| 8.0),
        Host::<T>::new(&[2, 1], |_| f64::NAN),
    );
    let (mut number, mut along) = (Host::<T>::new(&[], |_| f64::NAN), Host::<T>::new(&[], |_| f64::NAN));
    let mut tape = Taped(null_mut());
    let (to_bar, to_h, tangent) = (x_bar.tensor(), hx.tensor(), dx.tensor());
    let (to_number, to_along) = (number.tensor(), along.tensor());
    // SAFETY: the pointers lead to the variables of this function, and the tape is used by this thread alone.
    unsafe {
        assert_eq!(tox_tape_create(T::DTYPE.into(), &mut tape.0), TOX_OK);
        let tape = tape.0;
        let (a, x) =
            (step(|v| tox_tape_variable(tape, &a.tensor(), v)), step(|v| tox_tape_variable(tape, &x.tensor(), v)));
        let mut inverse = [0; 2];
        let status = tox_tape_linalg(tape, &NO_RULE, null(), 0.0, -1.0, &a, 1, inverse.as_mut_ptr(), 2);
        assert_eq!((status, inverse[1]), (TOX_OK, 0), "{}", last_error());
        let operands = [inverse[0], x];
        let y = step(|v| tox_tape_einsum(tape, c"ij,jk->ik".as_ptr(), operands.as_ptr(), 2, null(), v));
        let flat = step(|v| tox_tape_reshape(tape, y, [2].as_ptr(), 1, v));
        assert_eq!(tox_tape_checkpoint(tape, &flat, 1), TOX_OK);
        let square = step(|v| tox_tape_map(tape, TOX_MAP_POWER, 2, flat, v));
        let sum = step(|v| tox_tape_einsum(tape, c"i->".as_ptr(), &square, 1, null(), v));
        let loss = step(|v| tox_tape_combine(tape, &sum, [0.5, 0.0].as_ptr(), 1, v));
        let (mut extents, mut rank) = ([0i64; 2], 7);
        assert_eq!(tox_tape_shape(tape, y, extents.as_mut_ptr(), 2, &mut rank), TOX_OK);
        assert_eq!((extents, rank), ([2, 1], 2));

        assert_eq!(tox_tape_read(tape, loss, &to_number), TOX_OK, "{}", last_error());
        assert_eq!(tox_tape_gradient(tape, loss, &x, 1, &(&raw const to_bar)), TOX_OK, "{}", last_error());
        assert_eq!(tox_tape_jvp(tape, &x, &tangent, 1, loss, &to_along), TOX_OK, "{}", last_error());
        let status = tox_tape_hvp(tape, loss, &x, 1, &x, &tangent, 1, [null()].as_ptr(), &(&raw const to_h));
        assert_eq!(status, TOX_OK, "{}", last_error());

        assert_eq!(tox_tape_read(tape, y, &to_bar), TOX_INVALID_ARGUMENT, "it did not stay");
        assert_eq!(tox_tape_read(tape, loss, &to_bar), TOX_DIMENSION_MISMATCH);
        assert_eq!(tox_tape_read(tape, u64::MAX, &to_number), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_tape_gradient(tape, flat, &x, 1, &(&raw const to_bar)), TOX_DIMENSION_MISMATCH);
        assert_eq!(last_error(), "the loss: expected one element, not size [2]");
        assert_eq!(tox_tape_map(tape, 99, 0, flat, &mut inverse[0]), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_tape_variable(null_mut(), &to_bar, &mut inverse[0]), TOX_NULL_POINTER);
        assert_eq!(tox_tape_variable(tape, null(), &mut inverse[0]), TOX_NULL_POINTER);
        assert_eq!(tox_tape_variable(tape, &to_bar, null_mut()), TOX_NULL_POINTER);
    }
    // With y = x/a: L = Re Σ y²/2, x̄ = conj(x/a²), dL = Σ x·dx/a², and x̄ changes by conj(dx/a²). The sums of a dozen small
    // numbers are exact but for rounding in single precision.
    let of = |i: usize| a.data[3 * i];
    let expected: Vec<T> = (0..2).map(|i| (x.data[i] / (of(i) * of(i))).conj()).collect();
    let moved: Vec<T> = (0..2).map(|i| (dx.data[i] / (of(i) * of(i))).conj()).collect();
    let half = T::from_c64(Complex64::new(0.5, 0.0));
    let value = (0..2).map(|i| x.data[i] / of(i)).map(|y| half * y * y).sum::<T>();
    let slope = (0..2).map(|i| expected[i].conj() * dx.data[i]).sum::<T>();
    let close = |x: T, y: T| assert_abs_diff_eq!((x.to_c64() - y.to_c64()).norm(), 0.0, epsilon = 1e-5);
    (0..2).for_each(|i| close(x_bar.data[i], expected[i]));
    (0..2).for_each(|i| close(hx.data[i], moved[i]));
    close(number.data[0], value);
    close(along.data[0], slope);
}

#[test]
fn a_tape_in_every_type() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => taped::<T>());
    }
}
