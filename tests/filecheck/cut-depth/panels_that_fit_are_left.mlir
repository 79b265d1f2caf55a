// RUN: cut-depth{sram=100000000}
// TARGET: runtime/targets/d1-die.toml
// CHECK-NOT: nn.slice
// CHECK: nn.fused %x, %w
func.func @main(%x: tensor<4096x4096xbf16>, %w: tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16> {
  %y = nn.fused %x, %w {loc = "node 'MatMul_0'"} : (tensor<4096x4096xbf16>, tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16> {
  ^bb0(%a: tensor<4096x4096xf32>, %b: tensor<4096x4096xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
    nn.yield %c : tensor<4096x4096xf32>
  }
  func.return %y : tensor<4096x4096xbf16>
}
