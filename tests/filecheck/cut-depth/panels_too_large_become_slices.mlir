// RUN: cut-depth
// TARGET: runtime/targets/d1-die.toml
// A node of the die would read 232 rows and 216 columns of 4096: 3.7 MB of 1.25.
// CHECK: %[[X:.*]] = nn.slice %x {start = [0, 0], limit = [4096, [[SIZE:[0-9]+]]]
// CHECK: %[[W:.*]] = nn.slice %w {start = [0, 0], limit = [[[SIZE]], 4096]
// CHECK: %[[S:.*]] = nn.fused %[[X]], %[[W]] {{.*}}-> tensor<4096x4096xf32>
// CHECK: nn.fused {{.*}}, %[[S]] {{.*}}
// CHECK: nn.add
func.func @main(%x: tensor<4096x4096xbf16>, %w: tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16> {
  %y = nn.fused %x, %w {loc = "node 'MatMul_0'"} : (tensor<4096x4096xbf16>, tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16> {
  ^bb0(%a: tensor<4096x4096xf32>, %b: tensor<4096x4096xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
    nn.yield %c : tensor<4096x4096xf32>
  }
  func.return %y : tensor<4096x4096xbf16>
}
