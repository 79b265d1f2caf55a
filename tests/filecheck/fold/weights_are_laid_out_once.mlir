// RUN: fold
// RESOURCE: w 8x6 random 1
// CHECK: nn.constant {resource = "w.1", shape = [6, 8], element_type = f32}
// CHECK-NOT: nn.transpose
func.func @main(%x: tensor<2x6xf32>) -> tensor<2x8xf32> {
  %w = nn.constant {resource = "w", shape = [8, 6], element_type = f32} : tensor<8x6xf32>
  %t = nn.transpose %w {permutation = [1, 0]} : (tensor<8x6xf32>) -> tensor<6x8xf32>
  %y = nn.dot_general %x, %t {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<2x6xf32>, tensor<6x8xf32>) -> tensor<2x8xf32>
  func.return %y : tensor<2x8xf32>
}
