// RUN: chunk{size=32}
// TARGET: tests/targets/tiny.toml
// Each product has exchanges of its own; the sums so far are FP32 as the result lies, and what
// follows the product runs behind the last.
// CHECK: %[[X0:.*]] = mesh.exchange %x {{.*}}tensor<48x32xbf16
// CHECK: nn.slice {{.*}}start = [0, 0], limit = [48, 32]
// CHECK: %[[W0:.*]] = mesh.exchange %w {{.*}}tensor<32x96xbf16
// CHECK: %[[S:.*]] = nn.fused %[[X0]], %[[W0]] {{.*}}-> tensor<48x96xf32, #mesh.layout<FP32, grid 2 x 3, [48 by row step 24, 96 by col step 32]>>
// CHECK-NOT: nn.negate
// CHECK: %[[X1:.*]] = mesh.exchange %x
// CHECK: nn.slice {{.*}}start = [0, 32], limit = [48, 64]
// CHECK: %[[W1:.*]] = mesh.exchange %w
// CHECK: nn.fused %[[X1]], %[[W1]], %[[S]] {{.*}}-> tensor<48x96xbf16
// CHECK: nn.add
// CHECK: nn.negate
func.func @main(%x: tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row col step 8, 64]>>, %w: tensor<64x96xbf16, #mesh.layout<BF16, grid 2 x 3, [64 by row step 32, 96 by col step 32]>>) -> tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 96 by col step 32]>> {
  %u = mesh.exchange %x {kind = "all_gather", bytes = 4096, cycles = 90000, zero_dims = [1], loc = "node 'MatMul_0'"} : (tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row col step 8, 64]>>) -> tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 64]>> {
  ^bb0(%a: tensor<48x64xbf16>):
    nn.yield %a : tensor<48x64xbf16>
  }
  %v = mesh.exchange %w {kind = "all_gather", bytes = 4096, cycles = 90000, zero_dims = [0, 1], loc = "node 'MatMul_0'"} : (tensor<64x96xbf16, #mesh.layout<BF16, grid 2 x 3, [64 by row step 32, 96 by col step 32]>>) -> tensor<64x96xbf16, #mesh.layout<BF16, grid 2 x 3, [64, 96 by col step 32]>> {
  ^bb0(%a: tensor<64x96xbf16>):
    nn.yield %a : tensor<64x96xbf16>
  }
  %y = nn.fused %u, %v {loc = "node 'MatMul_0'"} : (tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 64]>>, tensor<64x96xbf16, #mesh.layout<BF16, grid 2 x 3, [64, 96 by col step 32]>>) -> tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 96 by col step 32]>> {
  ^bb0(%a: tensor<48x64xf32>, %b: tensor<64x96xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<48x64xf32>, tensor<64x96xf32>) -> tensor<48x96xf32>
    %d = nn.negate %c {loc = "node 'Neg_0'"} : tensor<48x96xf32>
    nn.yield %d : tensor<48x96xf32>
  }
  func.return %y : tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 96 by col step 32]>>
}
