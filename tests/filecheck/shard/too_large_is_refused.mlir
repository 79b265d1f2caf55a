// RUN: shard{sram_budget=14000}
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 128x128 random 1
// error: the model does not fit the SRAM of 6 nodes
// error: w 16,384 (constant)
// error: have 14,000
// error: dojocc compile plans the model again with other options and names those that work
func.func @main(%x: tensor<8x128xf32>) -> tensor<8x128xf32> {
  %w = nn.constant {resource = "w", shape = [128, 128], element_type = f32, loc = "node 'MatMul_0'"} : tensor<128x128xf32>
  %y = nn.fused %x, %w {loc = "node 'MatMul_0'"} : (tensor<8x128xf32>, tensor<128x128xf32>) -> tensor<8x128xf32> {
  ^bb0(%a: tensor<8x128xf32>, %b: tensor<128x128xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<8x128xf32>, tensor<128x128xf32>) -> tensor<8x128xf32>
    nn.yield %c : tensor<8x128xf32>
  }
  func.return %y : tensor<8x128xf32>
}
