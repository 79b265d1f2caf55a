; y = relu(x @ w) on six nodes of a D1 die: each holds 8 rows of x and all of w.
; x is 48 x 32 and w 32 x 8, both BF16; y is 48 x 8 in FP32, its rows 64 bytes apart.
.target "d1-die"
.mark "matmul_relu" "examples/matmul_relu.s"
.class grid 1x6 nodes 0..5

.kernel matmul_relu
  aclr a0              ; x: 8 rows, 64 bytes apart; 4 columns (8 bytes) further each step
  abasei a0, 0
  astr a0, L0, 8
  apitch a0, 64
  aclr a1              ; w: 4 rows of 8 numbers (16 bytes); 4 rows (64 bytes) further each step
  abasei a1, 1024
  astr a1, L0, 64
  apitch a1, 16
  mzero m0
  loop L0, 8           ; 8 steps of 4 along the 32
    ldg8 v1, a0, 0
    ldg16 v2, a1, 0
    mmac m0, v1, v2
  end
  vli v3, 0.0
  aclr a2              ; y: rows 64 bytes apart, two rows of 8 numbers a store
  abasei a2, 2048
  apitch a2, 64
  mread v4, m0, 0
  vmax v4, v4, v3
  vst2 v4, a2, FP32, 0
  mread v4, m0, 1
  vmax v4, v4, v3
  vst2 v4, a2, FP32, 2
  mread v4, m0, 2
  vmax v4, v4, v3
  vst2 v4, a2, FP32, 4
  mread v4, m0, 3
  vmax v4, v4, v3
  vst2 v4, a2, FP32, 6
  ret
.endkernel

.thread 0
  mark 0
  call matmul_relu
  halt

; layout: format, grid, then for each dim (size: axes it is spread over, step, offset, extent, stored)
.input "x" in grid at 0 layout BF16 1x6 (48: col, 8, 0, 8, 8) (32: -, 0, 0, 32, 32) as float32 [48, 32]
.input "w" in grid at 1024 layout BF16 1x6 (32: -, 0, 0, 32, 32) (8: -, 0, 0, 8, 8) as float32 [32, 8]
.output "y" in grid at 2048 layout FP32 1x6 (48: col, 8, 0, 8, 8) (8: -, 0, 0, 8, 16) as float32 [48, 8]
