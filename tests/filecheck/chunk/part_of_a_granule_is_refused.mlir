// RUN: chunk{size=24}
// TARGET: tests/targets/tiny.toml
// error: chunk: a chunk is a multiple of 16 elements
// error: size = 24
func.func @main(%x: tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row col step 8, 64]>>, %w: tensor<64x96xbf16, #mesh.layout<BF16, grid 2 x 3, [64, 96 by col step 32]>>) -> tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 96 by col step 32]>> {
  %u = mesh.exchange %x {kind = "all_gather", bytes = 4096, cycles = 90000, zero_dims = [1], loc = "node 'MatMul_0'"} : (tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row col step 8, 64]>>) -> tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 64]>> {
  ^bb0(%a: tensor<48x64xbf16>):
    nn.yield %a : tensor<48x64xbf16>
  }
  %y = nn.fused %u, %w {loc = "node 'MatMul_0'"} : (tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 64]>>, tensor<64x96xbf16, #mesh.layout<BF16, grid 2 x 3, [64, 96 by col step 32]>>) -> tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 96 by col step 32]>> {
  ^bb0(%a: tensor<48x64xf32>, %b: tensor<64x96xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<48x64xf32>, tensor<64x96xf32>) -> tensor<48x96xf32>
    %d = nn.negate %c {loc = "node 'Neg_0'"} : tensor<48x96xf32>
    nn.yield %d : tensor<48x96xf32>
  }
  func.return %y : tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48 by row step 24, 96 by col step 32]>>
}
