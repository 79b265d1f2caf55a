// RUN: choose-stores{forward=CF8_143 backward=CF8_152}
// CHECK: nn.stored_as %x {tensor = "x", format = "CF8_143", backward = "none"
// CHECK: nn.stored_as %w {tensor = "w", format = "CF8_143", backward = "none"
// CHECK: nn.dot_general
// CHECK: nn.stored_as %{{.*}} {tensor = "product", format = "none", backward = "CF8_152"
func.func @main(%x: tensor<2x4xf32> {nn.name = "x"}, %w: tensor<4x3xf32> {nn.name = "w"}) -> tensor<2x3xf32> {
  %y = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "product"} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  func.return %y : tensor<2x3xf32>
}
