// RUN: shard
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 64x96 random 1
// What is contracted is whole on every node, whatever the planner shares out; the weight's columns
// lie as the result's do.
// CHECK: func.func @main(%x: tensor<48x64xbf16, #mesh.layout<BF16, grid 2 x 3, [[[X:48[a-z0-9 ]*, 64]]]>>)
// CHECK: nn.constant {{.*}} #mesh.layout<BF16, grid 2 x 3, [64, [[COLUMNS:96 by [a-z0-9 ]+]]]>
// CHECK: nn.fused %x, %w {{.*}}#mesh.layout<BF16, grid 2 x 3, [[[X]]]>
// CHECK-SAME: -> tensor<48x96xbf16, #mesh.layout<BF16, grid 2 x 3, [48{{[a-z0-9 ]*}}, [[COLUMNS]]]>> {
// CHECK-NOT: mesh.exchange
func.func @main(%x: tensor<48x64xbf16>) -> tensor<48x96xbf16> {
  %w = nn.constant {resource = "w", shape = [64, 96], element_type = bf16, loc = "node 'MatMul_0'"} : tensor<64x96xbf16>
  %y = nn.fused %x, %w {loc = "node 'MatMul_0'"} : (tensor<48x64xbf16>, tensor<64x96xbf16>) -> tensor<48x96xbf16> {
  ^bb0(%a: tensor<48x64xf32>, %b: tensor<64x96xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<48x64xf32>, tensor<64x96xf32>) -> tensor<48x96xf32>
    nn.yield %c : tensor<48x96xf32>
  }
  func.return %y : tensor<48x96xbf16>
}
