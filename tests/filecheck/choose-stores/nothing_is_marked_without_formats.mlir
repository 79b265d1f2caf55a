// RUN: choose-stores
// CHECK-NOT: nn.stored_as
// CHECK: nn.dot_general
func.func @main(%x: tensor<2x4xf32> {nn.name = "x"}, %w: tensor<4x3xf32> {nn.name = "w"}) -> tensor<2x3xf32> {
  %y = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "product"} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  func.return %y : tensor<2x3xf32>
}
